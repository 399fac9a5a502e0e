-- Forgets what is past its time, at most ARGV[4] mails a call.
-- ARGV: seconds a done mail is remembered, seconds and bytes its raw bytes are kept, mails a call.
-- Answers {raws dropped, mails forgotten}.
local time, most = now(), tonumber(ARGV[4])
local kept, dropped, forgotten = base .. 'kept', 0, 0

for _, sha in ipairs(redis.call('ZRANGEBYSCORE', kept, '-inf', seconds(time - tonumber(ARGV[2])),
                                'LIMIT', 0, most)) do
  drop_raw(sha)
  dropped = dropped + 1
end
while dropped < most and number(base .. 'kept_bytes') > tonumber(ARGV[3]) do
  local oldest = redis.call('ZRANGE', kept, 0, 0)[1]
  if not oldest then break end
  drop_raw(oldest)
  dropped = dropped + 1
end

for _, sha in ipairs(redis.call('ZRANGEBYSCORE', base .. 'done', '-inf',
                                seconds(time - tonumber(ARGV[1])), 'LIMIT', 0, most)) do
  drop_raw(sha)
  each_location(sha, function(place, uid)
    redis.call('SREM', base .. 'flag:' .. place, uid)
    if redis.call('HGET', base .. 'loc:' .. place, uid) == sha then
      redis.call('HDEL', base .. 'loc:' .. place, uid)
    end
  end)
  redis.call('DEL', mail_key(sha), at_key(sha))
  redis.call('ZREM', base .. 'done', sha)
  forgotten = forgotten + 1
end
return {dropped, forgotten}
