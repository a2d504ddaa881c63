-- Give back a job whose worker has died: it has been taken out of `active`, and waits first of all.
--- @include "keys"

-- most: how often a job may stall; one over that is given back marked to fail (field `defa`).
local function give_back_stalled(job_id, most)
  local key = K.base .. job_id
  if call('HINCRBY', key, 'stc', 1) > most then
    call('HSET', key, 'defa', 'job stalled more than allowable limit')
  end
  call('RPUSH', K.wait, job_id)
  call('XADD', K.events, '*', 'event', 'waiting', 'jobId', job_id, 'prev', 'active')
  call('XADD', K.events, '*', 'event', 'stalled', 'jobId', job_id)
end
