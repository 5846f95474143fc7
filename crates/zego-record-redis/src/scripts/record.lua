-- What claim and settle share.
-- KEYS: the record of a delivery; the event, all deliveries about its file by when they expire.
-- ARGV: delivery key, owner in hex, lease in ms, retention in ms.
-- A record is "1 STATE OWNER EPOCH CHANGED LEASE_ENDS EXPIRES", with times in ms since 1970.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local key, owner, lease, retention = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local MAX_EPOCH, MAX_TIME = 4294967295, 9007199254740991

-- Concatenation would round to 14 digits.
local function digits(number)
  return string.format('%.0f', number)
end

-- The record, or nil if there is none that has not expired; and whether it is nothing that we wrote.
local function read()
  local text = redis.call('GET', KEYS[1])
  if not text then
    return nil, false
  end
  local state, holder, epoch, changed, lease_ends, expires =
    string.match(text, '^1 (%l+) ([%x-]+) (%d+) ([01]) (%d+) (%d+)$')
  if not state then
    return nil, true
  end
  local record = {
    state = state,
    owner = holder,
    epoch = tonumber(epoch),
    changed = tonumber(changed),
    lease_ends = tonumber(lease_ends),
  }
  expires = tonumber(expires)
  local is_held = state == 'running' and string.match(holder, '^%x+$') and #holder == 32
  local is_free = (state == 'done' or state == 'failed') and holder == '-'
  if not (is_held or is_free) or record.epoch < 1 or record.epoch > MAX_EPOCH
    or record.lease_ends > MAX_TIME or expires > MAX_TIME then
    return nil, true
  end
  if expires <= now then
    return nil, false
  end
  return record, false
end

-- 1 if another delivery about the same file is known, else 0.
local function changed_now()
  for _, other in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. digits(now), '+inf', 'LIMIT', 0, 2)) do
    if other ~= key then
      return 1
    end
  end
  return 0
end

-- Redis lets a script go on when memory is full if its first write needs none, as this one.
local function remove_expired()
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', digits(now))
end

-- The event first: if it is of another type, or if memory is full, this fails before anything is written.
local function write(state, holder, epoch, changed, lease_ends, expires)
  if expires > now then
    redis.call('ZADD', KEYS[2], digits(expires), key)
  else
    redis.call('ZREM', KEYS[2], key)
  end
  remove_expired()
  local last = redis.call('ZREVRANGE', KEYS[2], 0, 0, 'WITHSCORES')
  if last[2] then
    redis.call('PEXPIREAT', KEYS[2], digits(math.min(math.ceil(tonumber(last[2])), MAX_TIME)))
  end
  if expires > now then
    local text = table.concat(
      { '1', state, holder, digits(epoch), digits(changed), digits(lease_ends), digits(expires) }, ' ')
    redis.call('SET', KEYS[1], text, 'PX', digits(expires - now))
  else
    redis.call('DEL', KEYS[1])
  end
end

