-- Writes down that an effect is about to happen. ARGV: sha, token, milliseconds, effect.
-- Answers {'lost'}, {'busy'} while another mail is about to cause it, {'ok'}, or {'ok', remote id}
-- when it has happened already.
local sha, token = ARGV[1], ARGV[2]
if not fenced(sha, token, ARGV[3]) then return {'lost'} end
local field = 'fx:' .. ARGV[4]
local known = redis.call('HGET', mail_key(sha), field)
if known and string.sub(known, 1, 5) == 'done:' then return {'ok', string.sub(known, 6)} end
if not claims(sha, ARGV[4]) and redis.call('EXISTS', claim_key(ARGV[4])) == 1 then return {'busy'} end
redis.call('SET', claim_key(ARGV[4]), sha, 'PX', ARGV[3])
redis.call('HSET', mail_key(sha), field, 'intent:' .. token)
return {'ok'}
