--[[ Tell where a job is, and how it ended.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id
  Returns {state, returnvalue or failedReason or false}; state `missing` when there is no such job
]]
--- @include "keys"

-- A longer waiting list is not searched, which would hold the server: a job that is nowhere else
-- is taken to be in it.
local SEARCHED = 10000

local job_id = ARGV[2]
local key = K.base .. job_id
if call('EXISTS', key) == 0 then
  return { 'missing', false }
end
if call('ZSCORE', K.completed, job_id) then
  return { 'completed', call('HGET', key, 'returnvalue') }
end
if call('ZSCORE', K.failed, job_id) then
  return { 'failed', call('HGET', key, 'failedReason') }
end
local sets = { delayed = 'delayed', prioritized = 'prioritized', waiting_children = 'waiting-children' }
for set, state in pairs(sets) do
  if call('ZSCORE', K[set], job_id) then
    return { state, false }
  end
end
if call('EXISTS', key .. ':lock') == 1 or call('LPOS', K.active, job_id) then
  return { 'active', false }
end
if call('LLEN', K.wait) > SEARCHED or call('LPOS', K.wait, job_id) or call('LPOS', K.paused, job_id) then
  return { 'waiting', false }
end
return { 'unknown', false }
