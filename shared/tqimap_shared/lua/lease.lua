-- Takes the lease of a mail. ARGV: sha, token, milliseconds.
-- Answers {'leased', attempts, mailbox's place} or one of {'busy'}, {'done'}, {'unknown'}.
local sha, token = ARGV[1], ARGV[2]
local mail = mail_key(sha)
local state = redis.call('HGET', mail, 'state')
if not state then return {'unknown'} end
if state == 'done' then return {state} end
if not redis.call('SET', lease_key(sha), token, 'NX', 'PX', ARGV[3]) then
  if redis.call('GET', lease_key(sha)) ~= token then return {'busy'} end
  -- the same call once more, after its answer was lost: no further attempt
elseif redis.call('HGET', mail, 'token') ~= token then
  if state == 'dead' then  -- somebody asked for it again: it starts anew
    redis.call('ZREM', base .. 'dead', sha)
    redis.call('HSET', mail, 'attempts', 0)
  end
  redis.call('HINCRBY', mail, 'attempts', 1)
  redis.call('HSET', mail, 'state', 'processing', 'token', token)
end
local at = redis.call('SRANDMEMBER', at_key(sha)) or ''
return {'leased', redis.call('HGET', mail, 'attempts'), at}
