-- Shared by all scripts, which are prefixed with this text. KEYS[1] is the beginning of every key,
-- hash tag included, so that all keys are in one slot.
local base = KEYS[1]

local function now()
  local time = redis.call('TIME')
  return tonumber(time[1]) + tonumber(time[2]) / 1000000
end

local function seconds(time)
  return string.format('%.6f', time)
end

local function number(key)
  return tonumber(redis.call('GET', key) or '0')
end

local function mail_key(sha) return base .. 'm:' .. sha end
local function raw_key(sha) return base .. 'raw:' .. sha end
local function lease_key(sha) return base .. 'lease:' .. sha end
local function at_key(sha) return base .. 'at:' .. sha end

-- The fence: only the last lease's holder may act, and acting renews its lease. The token in the
-- record decides; the lease key only says when somebody else may come.
local function fenced(sha, token, milliseconds)
  if redis.call('HGET', mail_key(sha), 'token') ~= token then return false end
  redis.call('SET', lease_key(sha), token, 'PX', milliseconds)
  return true
end

local function end_lease(sha, token)
  redis.call('HDEL', mail_key(sha), 'token')
  redis.call('HSET', mail_key(sha), 'by', token)
  redis.call('DEL', lease_key(sha))
end

-- The right to cause an effect that several mails want, as a file that came with each of them. It
-- belongs to a mail, not to an attempt: who holds the mail's lease now goes on with it.
local function claim_key(effect) return base .. 'claim:' .. effect end

local function claims(sha, effect)
  return redis.call('GET', claim_key(effect)) == sha
end

-- Calls act(place, uid) for every location of the mail; a member is "<place> <uid>".
local function each_location(sha, act)
  for _, member in ipairs(redis.call('SMEMBERS', at_key(sha))) do
    local place, uid = string.match(member, '^(%S+) (%d+)$')
    if place then act(place, uid) end
  end
end

local function drop_raw(sha)
  if redis.call('ZREM', base .. 'kept', sha) == 1 then
    local packed = tonumber(redis.call('HGET', mail_key(sha), 'packed') or '0')
    redis.call('DECRBY', base .. 'kept_bytes', packed)
  end
  return redis.call('DEL', raw_key(sha))
end
