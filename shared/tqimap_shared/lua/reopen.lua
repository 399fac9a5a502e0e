-- Makes a done mail open again; what is recorded of its effects stays. ARGV: sha, and its zstd bytes
-- if they are at hand. The mail servers are told that it is done when it is so again.
-- Answers 'ok', 'open' when it was not done, 'gone' when record or raw bytes are not there any more.
local sha = ARGV[1]
local mail = mail_key(sha)
local state = redis.call('HGET', mail, 'state')
if state and state ~= 'done' then return 'open' end
if not state then return 'gone' end
if redis.call('EXISTS', raw_key(sha)) == 0 then
  if not ARGV[2] then return 'gone' end
  redis.call('SET', raw_key(sha), ARGV[2])
  redis.call('HSET', mail, 'packed', #ARGV[2])
end
local packed = tonumber(redis.call('HGET', mail, 'packed') or '0')
if redis.call('ZREM', base .. 'kept', sha) == 1 then
  redis.call('DECRBY', base .. 'kept_bytes', packed)
end
redis.call('INCRBY', base .. 'bytes', packed)
redis.call('ZREM', base .. 'done', sha)
redis.call('ZADD', base .. 'open', seconds(now()), sha)
redis.call('HSET', mail, 'state', 'stored', 'attempts', 0)
each_location(sha, function(place, uid) redis.call('SREM', base .. 'flag:' .. place, uid) end)
return 'ok'
