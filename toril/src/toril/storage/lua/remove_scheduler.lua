--[[ Remove a job scheduler and its next job.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] scheduler's id
  Returns 0, or -1 no such scheduler
  Events  removed
]]
--- @include "keys"
--- @include "forget"

local before = call('ZSCORE', K.schedulers, ARGV[2])
if not before then
  return -1
end
local job_id = 'repeat:' .. ARGV[2] .. ':' .. before
local gone = call('ZREM', K.delayed, job_id) + call('ZREM', K.prioritized, job_id) + call('LREM', K.wait, 1, job_id)
if gone > 0 then
  forget(job_id, true)
  call('XADD', K.events, '*', 'event', 'removed', 'jobId', job_id, 'prev', 'delayed')
end
call('ZREM', K.schedulers, ARGV[2])
call('DEL', K.schedulers .. ':' .. ARGV[2])
return 0
