-- Takes a batch of mails in. ARGV: for each mail sha, size, zstd bytes, place, uid.
-- Answers for each 'new', 'known' or 'done'. A second call with the same mails changes nothing.
local time = seconds(now())
local answers = {}
for i = 1, #ARGV, 5 do
  local sha, size, packed, place, uid = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  local mail = mail_key(sha)
  local state = redis.call('HGET', mail, 'state')
  local answer = state and 'known' or 'new'
  if not state then
    redis.call('HSET', mail, 'state', 'stored', 'size', size, 'packed', #packed,
               'first_seen', time, 'attempts', 0)
    redis.call('SET', raw_key(sha), packed)
    redis.call('ZADD', base .. 'open', time, sha)
    redis.call('INCRBY', base .. 'bytes', #packed)
  elseif state == 'done' then
    answer = 'done'
    redis.call('SADD', base .. 'flag:' .. place, uid)
  elseif redis.call('EXISTS', raw_key(sha)) == 0 then
    redis.call('SET', raw_key(sha), packed)  -- somebody deleted it; the mail is still to be worked on
  end
  redis.call('HSET', base .. 'loc:' .. place, uid, sha)
  redis.call('SADD', at_key(sha), place .. ' ' .. uid)
  answers[#answers + 1] = answer
end
return answers
