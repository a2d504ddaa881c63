-- Tell in which state a job of the queue that K names is.
--- @include "keys"

-- A longer waiting list is not searched, which would hold the server: a job that is nowhere else
-- is taken to be in it.
local SEARCHED = 10000

-- Returns a state; `missing` without a hash, `unknown` when it is nowhere.
local function locate(job_id)
  local key = K.base .. job_id
  if call('EXISTS', key) == 0 then
    return 'missing'
  end
  local sets = {
    { 'completed', K.completed }, { 'failed', K.failed }, { 'delayed', K.delayed },
    { 'prioritized', K.prioritized }, { 'waiting-children', K.waiting_children },
  }
  for _, set in ipairs(sets) do
    if call('ZSCORE', set[2], job_id) then
      return set[1]
    end
  end
  if call('EXISTS', key .. ':lock') == 1 or call('LPOS', K.active, job_id) then
    return 'active'
  end
  if call('LLEN', K.wait) > SEARCHED or call('LPOS', K.wait, job_id) or call('LPOS', K.paused, job_id) then
    return 'waiting'
  end
  return 'unknown'
end
