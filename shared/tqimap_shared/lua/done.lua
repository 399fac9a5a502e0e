-- Ends a mail well. ARGV: sha, token, milliseconds, keep ('1' keeps the raw bytes), then attribute
-- names and values. Answers 'ok' or 'lost'; 'ok' again when the same token asks again.
local sha, token = ARGV[1], ARGV[2]
local mail = mail_key(sha)
if redis.call('HGET', mail, 'state') == 'done' then
  return redis.call('HGET', mail, 'by') == token and 'ok' or 'lost'
end
if not fenced(sha, token, ARGV[3]) then return 'lost' end
local time = seconds(now())
local packed = tonumber(redis.call('HGET', mail, 'packed') or '0')
redis.call('HSET', mail, 'state', 'done', 'done_at', time)
redis.call('HDEL', mail, 'error')
for i = 5, #ARGV, 2 do redis.call('HSET', mail, 'a:' .. ARGV[i], ARGV[i + 1]) end
end_lease(sha, token)
redis.call('ZREM', base .. 'dead', sha)
redis.call('ZADD', base .. 'done', time, sha)
if redis.call('ZREM', base .. 'open', sha) == 1 then
  redis.call('DECRBY', base .. 'bytes', packed)
end
if ARGV[4] == '1' and redis.call('EXISTS', raw_key(sha)) == 1 then
  redis.call('ZADD', base .. 'kept', time, sha)
  redis.call('INCRBY', base .. 'kept_bytes', packed)
else
  redis.call('DEL', raw_key(sha))
end
each_location(sha, function(place, uid) redis.call('SADD', base .. 'flag:' .. place, uid) end)
return 'ok'
