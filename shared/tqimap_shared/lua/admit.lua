-- Takes a batch of mails in. ARGV: for each mail sha, size, place, uid. Their zstd bytes have been
-- set just before, in the same transaction: to pass them through Lua costs twice Redis' time.
-- Answers for each 'new', 'known' or 'done'. A second call with the same mails changes nothing.
local time = seconds(now())
local answers = {}
for i = 1, #ARGV, 4 do
  local sha, size, place, uid = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local mail = mail_key(sha)
  local state = redis.call('HGET', mail, 'state')
  local answer = state and 'known' or 'new'
  if not state then
    local packed = redis.call('STRLEN', raw_key(sha))
    redis.call('HSET', mail, 'state', 'stored', 'size', size, 'packed', packed,
               'first_seen', time, 'attempts', 0)
    redis.call('ZADD', base .. 'open', time, sha)
    redis.call('INCRBY', base .. 'bytes', packed)
  elseif state == 'done' then
    answer = 'done'
    redis.call('SADD', base .. 'flag:' .. place, uid)
    -- nobody needs the bytes of a done mail that were not kept
    if not redis.call('ZSCORE', base .. 'kept', sha) then redis.call('DEL', raw_key(sha)) end
  end
  redis.call('HSET', base .. 'loc:' .. place, uid, sha)
  redis.call('SADD', at_key(sha), place .. ' ' .. uid)
  answers[#answers + 1] = answer
end
return answers
