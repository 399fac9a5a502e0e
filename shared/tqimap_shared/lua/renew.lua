-- Renews a lease. ARGV: sha, token, milliseconds. Answers 'ok' or 'lost'.
return fenced(ARGV[1], ARGV[2], ARGV[3]) and 'ok' or 'lost'
