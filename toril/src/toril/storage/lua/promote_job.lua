--[[ Let a delayed job run now.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id
  Returns 0, or -1 no such job, -3 not delayed
  Events  waiting
]]
--- @include "keys"
--- @include "place"

local key = K.base .. ARGV[2]
if call('EXISTS', key) == 0 then
  return -1
end
if call('ZREM', K.delayed, ARGV[2]) == 0 then
  return -3
end
place_waiting(ARGV[2], tonumber(call('HGET', key, 'priority') or 0) or 0, false)
call('HSET', key, 'delay', 0)
call('XADD', K.events, '*', 'event', 'waiting', 'jobId', ARGV[2], 'prev', 'delayed')
wake()
return 0
