-- Remove a job from wherever it is, with all that belongs to it. Runs in the job's queue.
--- @include "forget"
--- @include "queue_state"

-- Returns whether there was such a job.
local function remove(job_id)
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
  if forget(job_id, false) == 0 then
    return false
  end
  call('XADD', K.events, 'MAXLEN', '~', max_events(), '*', 'event', 'removed', 'jobId', job_id, 'prev', prev)
  return true
end
