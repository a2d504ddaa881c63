--[[ Add a line to a job's log.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] line  [4] how many lines are kept, or ''
  Returns how many lines there are, or -1 no such job
]]
--- @include "keys"

local key = K.base .. ARGV[2]
if call('EXISTS', key) == 0 then
  return -1
end
local count = call('RPUSH', key .. ':logs', ARGV[3])
if ARGV[4] ~= '' then
  call('LTRIM', key .. ':logs', -tonumber(ARGV[4]), -1)
  count = math.min(count, tonumber(ARGV[4]))
end
return count
