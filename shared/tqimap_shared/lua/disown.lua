-- Makes rq forget a job that it only half remembers. KEYS: job hash, results, queue, intermediate
-- queue, then the zsets scheduled, failed and started. ARGV: job id, 'failed' to take it out of the
-- failed ones too.
-- Answers 1 if the job is now in no structure, so that it can be enqueued; 0 if it is alive.
local job, results, queue, intermediate = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local scheduled, failed, started = KEYS[5], KEYS[6], KEYS[7]
local id = ARGV[1]

local executions = {}
for _, member in ipairs(redis.call('ZRANGE', started, 0, -1)) do
  if string.sub(member, 1, #id + 1) == id .. ':' then executions[#executions + 1] = member end
end

if redis.call('EXISTS', job) == 1 then
  if ARGV[2] == 'failed' and redis.call('ZSCORE', failed, id) then
    redis.call('ZREM', failed, id)
  end
  local alive = redis.call('LPOS', queue, id) or redis.call('LPOS', intermediate, id)
    or redis.call('ZSCORE', scheduled, id) or redis.call('ZSCORE', failed, id)
    or #executions > 0
  if alive then return 0 end
end

-- no hash: rq drops the id silently wherever it meets it, so its places mean nothing
redis.call('DEL', job, results)
redis.call('LREM', queue, 0, id)
redis.call('LREM', intermediate, 0, id)
redis.call('ZREM', scheduled, id)
redis.call('ZREM', failed, id)
if #executions > 0 then redis.call('ZREM', started, unpack(executions)) end
return 1
