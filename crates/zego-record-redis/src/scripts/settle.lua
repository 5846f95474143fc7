-- ARGV besides: which settlement.
local settlement = ARGV[5]
local record, is_corrupt = read()
if is_corrupt then
  return 'corrupt'
end
if record then
  -- Whatever a settlement writes takes the place of something longer.
  remove_expired()
end
local is_done = record and record.state == 'done'
local is_owned = record and record.state == 'running' and record.owner == owner
if settlement == 'done' and not is_done then
  local epoch, changed = 1, 0
  if record then
    epoch, changed = record.epoch, record.changed
  end
  write('done', '-', epoch, changed, 0, now + retention)
elseif settlement == 'failed' and is_owned then
  write('failed', '-', record.epoch, record.changed, 0, now + retention)
elseif settlement == 'extend' and is_owned then
  write('running', owner, record.epoch, record.changed, now + lease, now + lease + retention)
else
  return 'stale'
end
return 'applied'
