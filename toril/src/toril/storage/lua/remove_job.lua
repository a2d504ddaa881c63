--[[ Remove a job that no worker is running.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] job id
  Returns 0, or -1 no such job, -6 a worker is running it, -8 it is a scheduler's next job
  Events  removed
]]
--- @include "keys"
--- @include "forget"
--- @include "queue_state"

local job_id = ARGV[2]
local key = K.base .. job_id
if call('EXISTS', key .. ':lock') == 1 then
  return -6
end
local scheduler = call('HGET', key, 'rjk')
if scheduler then
  local due = call('ZSCORE', K.schedulers, scheduler)
  if due and job_id == 'repeat:' .. scheduler .. ':' .. due then
    return -8
  end
end
local prev = 'unknown'
for _, state in ipairs({ 'delayed', 'prioritized', 'completed', 'failed', 'waiting_children' }) do
  if prev == 'unknown' and call('ZREM', K[state], job_id) == 1 then
    prev = string.gsub(state, '_', '-')
  end
end
for _, state in ipairs({ 'wait', 'active', 'paused' }) do
  if prev == 'unknown' and call('LREM', K[state], 0, job_id) > 0 then
    prev = state
  end
end
if forget(job_id) == 0 then
  return -1
end
call('XADD', K.events, 'MAXLEN', '~', max_events(), '*', 'event', 'removed', 'jobId', job_id, 'prev', prev)
return 0
