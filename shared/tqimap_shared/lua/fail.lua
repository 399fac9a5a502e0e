-- Ends an attempt badly. ARGV: sha, token, milliseconds, reason, final ('1': the mail is dead).
-- Answers 'ok' or 'lost'; 'ok' again when the same token asks again.
local sha, token = ARGV[1], ARGV[2]
local mail = mail_key(sha)
if not fenced(sha, token, ARGV[3]) then
  local state = redis.call('HGET', mail, 'state')
  local ended = state == 'stored' or state == 'dead'
  return ended and redis.call('HGET', mail, 'by') == token and 'ok' or 'lost'
end
end_lease(sha, token)
redis.call('HSET', mail, 'state', ARGV[5] == '1' and 'dead' or 'stored', 'error', ARGV[4])
if ARGV[5] == '1' then redis.call('ZADD', base .. 'dead', seconds(now()), sha) end
return 'ok'
