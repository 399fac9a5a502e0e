-- Gives a mail back as if it had not been taken. ARGV: sha, token, reason
-- ('' for none). Answers 'ok' or 'lost'.
local sha, token = ARGV[1], ARGV[2]
local mail = mail_key(sha)
if redis.call('HGET', mail, 'token') ~= token then
  return redis.call('HGET', mail, 'by') == token and 'ok' or 'lost'
end
end_lease(sha, token)
redis.call('HSET', mail, 'state', 'stored')
if ARGV[3] ~= '' then redis.call('HSET', mail, 'error', ARGV[3]) end
redis.call('HINCRBY', mail, 'attempts', -1)
return 'ok'
