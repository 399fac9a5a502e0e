-- Tells whether nobody else can have caused an effect meanwhile. ARGV: sha, token, effect.
-- Answers 'ok' or 'lost'.
local mine = redis.call('HGET', mail_key(ARGV[1]), 'token') == ARGV[2]
return mine and claims(ARGV[1], ARGV[3]) and 'ok' or 'lost'
