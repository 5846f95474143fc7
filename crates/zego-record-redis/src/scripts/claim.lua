local record, is_corrupt = read()
if is_corrupt then
  return 'corrupt'
end
local epoch, changed
if not record then
  epoch, changed = 1, changed_now()
elseif record.state == 'done' then
  return 'done'
elseif record.state == 'running' and record.owner == owner then
  epoch, changed = record.epoch, record.changed
elseif record.state == 'running' and now < record.lease_ends then
  return 'busy'
else
  epoch, changed = math.min(record.epoch + 1, MAX_EPOCH), record.changed
end
write('running', owner, epoch, changed, now + lease, now + lease + retention)
return 'run ' .. digits(epoch) .. ' ' .. digits(changed)
