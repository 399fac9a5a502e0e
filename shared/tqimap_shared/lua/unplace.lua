-- Forgets where a mail was fetched, and its bytes, which are missing or damaged: the fetcher then
-- takes it in anew when it looks. An entry among the open mails that has no record goes too.
-- ARGV: sha. Answers how many places there were.
local sha, places = ARGV[1], 0
each_location(sha, function(place, uid)
  redis.call('SREM', base .. 'flag:' .. place, uid)
  if redis.call('HGET', base .. 'loc:' .. place, uid) == sha then
    redis.call('HDEL', base .. 'loc:' .. place, uid)
  end
  places = places + 1
end)
redis.call('DEL', at_key(sha), raw_key(sha))
if redis.call('EXISTS', mail_key(sha)) == 0 then
  redis.call('ZREM', base .. 'open', sha)
  redis.call('ZREM', base .. 'dead', sha)
end
return places
