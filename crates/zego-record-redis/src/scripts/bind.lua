-- KEYS: the signature. ARGV: content in hex, how long it is kept in ms.
local bound = redis.call('GET', KEYS[1])
if not bound then
  if tonumber(ARGV[2]) > 0 then
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
  return 'first'
end
if #bound ~= 32 or not string.match(bound, '^%x+$') then
  return 'corrupt'
end
if bound == ARGV[1] then
  return 'same'
end
return 'conflict'
