-- Makes a done mail open again; what is recorded of its effects stays. ARGV: sha.
-- Answers 'ok', 'open' when it was not done, 'gone' when record or raw bytes are not there any more.
local sha = ARGV[1]
local mail = mail_key(sha)
local state = redis.call('HGET', mail, 'state')
if state and state ~= 'done' then return 'open' end
if not state or redis.call('EXISTS', raw_key(sha)) == 0 then return 'gone' end
local packed = tonumber(redis.call('HGET', mail, 'packed') or '0')
if redis.call('ZREM', base .. 'kept', sha) == 1 then
  redis.call('DECRBY', base .. 'kept_bytes', packed)
end
redis.call('INCRBY', base .. 'bytes', packed)
redis.call('ZREM', base .. 'done', sha)
redis.call('ZADD', base .. 'open', seconds(now()), sha)
redis.call('HSET', mail, 'state', 'stored', 'attempts', 0)
return 'ok'
