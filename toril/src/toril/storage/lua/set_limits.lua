--[[ Change the limits that all workers of the queue keep: `concurrency`, or `max` and `duration`.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2…] field, value, field, value, …; an empty value takes the field away
  Returns how many fields it has made or taken away
]]
--- @include "keys"
--- @include "place"

local changed = 0
for i = 2, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    changed = changed + call('HDEL', K.meta, ARGV[i])
  else
    changed = changed + call('HSET', K.meta, ARGV[i], ARGV[i + 1])
  end
end
rouse()
return changed
