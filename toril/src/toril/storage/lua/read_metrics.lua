--[[ Read how many jobs have ended, in all and by the minute.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] completed or failed  [3] first minute, 0 is the newest  [4] last, -1 for all
  Returns {count, ms of the newest minute's end or false, {count of a minute, …}, minutes kept}
  Bound   the minutes kept
]]
--- @include "keys"

local key = K.base .. 'metrics:' .. ARGV[2]
local found = call('HMGET', key, 'count', 'prevTS')
return {
  found[1], found[2], call('LRANGE', key .. ':data', ARGV[3], ARGV[4]), call('LLEN', key .. ':data'),
}
