-- Writes down that an effect has happened. ARGV: sha, effect, remote id. Answers the id that counts:
-- the first one recorded. Not fenced: what has happened has happened, whoever holds the lease now.
local mail, field = mail_key(ARGV[1]), 'fx:' .. ARGV[2]
if redis.call('EXISTS', mail) == 0 then return false end
if claims(ARGV[1], ARGV[2]) then redis.call('DEL', claim_key(ARGV[2])) end
local known = redis.call('HGET', mail, field)
if known and string.sub(known, 1, 5) == 'done:' then return string.sub(known, 6) end
redis.call('HSET', mail, field, 'done:' .. ARGV[3])
return ARGV[3]
