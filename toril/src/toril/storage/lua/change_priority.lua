--[[ Change a job's priority, and its place if it waits for a worker.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id  [3] priority  [4] '1' to put it before those of its priority
  Returns 0, or -1 no such job
]]
--- @include "keys"
--- @include "place"

local job_id, priority, first = ARGV[2], tonumber(ARGV[3]), ARGV[4] == '1'
local key = K.base .. job_id
if call('EXISTS', key) == 0 then
  return -1
end
call('HSET', key, 'priority', priority)
if call('ZREM', K.prioritized, job_id) + call('LREM', K.wait, -1, job_id) > 0 then
  if first then
    place_first(job_id, priority)
  else
    place_waiting(job_id, priority, false)
  end
  wake()
end
return 0
