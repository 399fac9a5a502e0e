-- Corrects what is recorded of an effect, if it is still what the caller saw.
-- ARGV: sha, effect, remote id that is recorded, remote id to record ('' forgets the effect).
-- Answers 1 if that is what stands there now.
local mail, field = mail_key(ARGV[1]), 'fx:' .. ARGV[2]
local wanted = ARGV[4] ~= '' and 'done:' .. ARGV[4] or false
local known = redis.call('HGET', mail, field)
if known == wanted then return 1 end
if known ~= 'done:' .. ARGV[3] then return 0 end
if wanted then redis.call('HSET', mail, field, wanted) else redis.call('HDEL', mail, field) end
return 1
