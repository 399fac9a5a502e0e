-- Enqueues the jobs that rq does not have yet. KEYS: queue, rq's set of queues, then a hash a job.
-- ARGV: for each job its id, the number of names and values that follow, and these.
-- Answers for each job 1, or 0 where rq had it.
local queue, queues = KEYS[1], KEYS[2]
redis.call('SADD', queues, queue)
local answers, at = {}, 1
for i = 3, #KEYS do
  local id, count = ARGV[at], tonumber(ARGV[at + 1])
  local fresh = redis.call('EXISTS', KEYS[i]) == 0
  if fresh then
    redis.call('HSET', KEYS[i], unpack(ARGV, at + 2, at + 1 + count))
    redis.call('RPUSH', queue, id)
  end
  answers[#answers + 1] = fresh and 1 or 0
  at = at + 2 + count
end
return answers
