-- Let a finished job run again. It has been taken out of its final set already.
--- @include "place"
--- @include "family"

-- Where it waits it comes last, unless `at_head`.
local function retry(job_id, prev, reset_attempts, at_head)
  local key = K.base .. job_id
  local job = call('HMGET', key, 'parent', 'priority')
  tell_of_retry(job[1], key)
  call('HDEL', key, 'finishedOn', 'processedOn', 'failedReason', 'returnvalue', 'toril:cancel')
  if reset_attempts then
    call('HDEL', key, 'atm', 'ats')
  end
  place_waiting(job_id, tonumber(job[2] or 0) or 0, at_head)
  call('XADD', K.events, '*', 'event', 'waiting', 'jobId', job_id, 'prev', prev)
end
