--[[ Record how far a job has come.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] progress as JSON
  Returns 0, or -1 no such job
  Events  progress
]]
--- @include "keys"
--- @include "queue_state"

local key = K.base .. ARGV[2]
if call('EXISTS', key) == 0 then
  return -1
end
call('HSET', key, 'progress', ARGV[3])
call('XADD', K.events, 'MAXLEN', '~', max_events(), '*', 'event', 'progress', 'jobId', ARGV[2], 'data', ARGV[3])
return 0
