-- Write a new job's hash and put it where it waits.
--- @include "place"

-- extra: further fields and their values, or nil.
local function write(job_id, name, data, opts, now, delay, priority, extra)
  local key = K.base .. job_id
  if extra then
    call('HSET', key, 'name', name, 'data', data, 'opts', opts, 'timestamp', now, 'delay', delay,
      'priority', priority, unpack(extra))
  else
    call('HSET', key, 'name', name, 'data', data, 'opts', opts, 'timestamp', now, 'delay', delay,
      'priority', priority)
  end
  call('XADD', K.events, '*', 'event', 'added', 'jobId', job_id, 'name', name)
end

-- together: a list that takes the job if it comes last of those without a priority, for the caller to
-- put them there in one command; or nil.
local function place_new(job_id, now, delay, priority, lifo, together)
  if delay > 0 then
    place_delayed(job_id, now + delay)
    return
  end
  if together and priority == 0 and not lifo then
    together[#together + 1] = job_id
  else
    place_waiting(job_id, priority, lifo)
  end
  call('XADD', K.events, '*', 'event', 'waiting', 'jobId', job_id)
end

local function store(job_id, name, data, opts, now, delay, priority, lifo, extra, together)
  write(job_id, name, data, opts, now, delay, priority, extra)
  place_new(job_id, now, delay, priority, lifo, together)
end
