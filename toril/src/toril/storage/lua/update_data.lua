--[[ Put other data into a job.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] data as JSON
  Returns 0, or -1 no such job
]]
--- @include "keys"

local key = K.base .. ARGV[2]
if call('EXISTS', key) == 0 then
  return -1
end
call('HSET', key, 'data', ARGV[3])
return 0
