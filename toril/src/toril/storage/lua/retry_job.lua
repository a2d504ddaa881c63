--[[ Let a finished job run again, with all its attempts.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id
  Returns 0, or -1 no such job, -3 neither completed nor failed
  Events  waiting
]]
--- @include "keys"
--- @include "place"
--- @include "family"

local job_id = ARGV[2]
local key = K.base .. job_id
if call('EXISTS', key) == 0 then
  return -1
end
local prev = nil
for _, state in ipairs({ 'failed', 'completed' }) do
  if not prev and call('ZREM', K[state], job_id) == 1 then
    prev = state
  end
end
if not prev then
  return -3
end
tell_of_retry(call('HGET', key, 'parent'), key)
call('HDEL', key, 'finishedOn', 'processedOn', 'failedReason', 'returnvalue', 'atm', 'ats')
place_waiting(job_id, tonumber(call('HGET', key, 'priority') or 0) or 0, false)
call('XADD', K.events, '*', 'event', 'waiting', 'jobId', job_id, 'prev', prev)
wake()
return 0
