-- Gives a job back to its queue. KEYS: job hash, queue, intermediate queue, started zset.
-- ARGV: job id, execution to end ('' where the job never got as far as one), time.
-- Answers 1 if it was given back, 0 if it was elsewhere already.
local job, queue, intermediate, started = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local id, execution = ARGV[1], ARGV[2]
local removed = redis.call('LREM', intermediate, 0, id)
if execution ~= '' then removed = removed + redis.call('ZREM', started, id .. ':' .. execution) end
local status = redis.call('HGET', job, 'status')
if removed == 0 or (status ~= 'queued' and status ~= 'started') then return 0 end
redis.call('HSET', job, 'status', 'queued')
redis.call('HDEL', job, 'started_at', 'ended_at', 'worker_name')
if not redis.call('LPOS', queue, id) then redis.call('LPUSH', queue, id) end
return 1
