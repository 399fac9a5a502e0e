-- Ends the lease of a process that is known to be gone. ARGV: sha, owner, reason, attempts allowed.
-- Answers {attempts, state} when the owner held the mail, {} when not.
local sha, owner = ARGV[1], ARGV[2] .. '/'
local mail = mail_key(sha)
local token = redis.call('HGET', mail, 'token')
if not token or string.sub(token, 1, #owner) ~= owner then return {} end
end_lease(sha, token)
local attempts = tonumber(redis.call('HGET', mail, 'attempts') or '0')
local state = attempts >= tonumber(ARGV[4]) and 'dead' or 'stored'
redis.call('HSET', mail, 'state', state, 'error', ARGV[3])
if state == 'dead' then redis.call('ZADD', base .. 'dead', seconds(now()), sha) end
return {tostring(attempts), state}
