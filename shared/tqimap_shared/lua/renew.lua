-- Renews a lease, and a claim with it. ARGV: sha, token, milliseconds, effect ('' for none).
-- Answers 'ok', 'lost', or 'busy' when the claim ran out: another mail may have come since.
local sha, token, effect = ARGV[1], ARGV[2], ARGV[4]
if not fenced(sha, token, ARGV[3]) then return 'lost' end
if effect == '' then return 'ok' end
if not claims(sha, effect) then return 'busy' end
redis.call('PEXPIRE', claim_key(effect), ARGV[3])
return 'ok'
