-- Put a job where it waits.
--- @include "queue_state"

-- A priority is 1 (first) to 2^21-1; behind it in the score a counter keeps the order of adding.
local function priority_score(priority)
  return priority * 0x100000000 + call('INCR', K.pc) % 0x100000000
end

-- Put a job into the waiting list or the prioritized set. Does not wake a worker.
local function place_waiting(job_id, priority, at_head)
  if priority > 0 then
    call('ZADD', K.prioritized, priority_score(priority), job_id)
  else
    call(at_head and 'RPUSH' or 'LPUSH', K.wait, job_id)
  end
end

-- Put a job before all others of its priority. Does not wake a worker.
local function place_first(job_id, priority)
  if priority == 0 then
    call('RPUSH', K.wait, job_id)
    return
  end
  local low, high = priority * 0x100000000, (priority + 1) * 0x100000000 - 1
  local head = call('ZRANGEBYSCORE', K.prioritized, low, high, 'WITHSCORES', 'LIMIT', 0, 1)
  call('ZADD', K.prioritized, head[2] and math.max(low, tonumber(head[2]) - 1) or low, job_id)
end

-- When the earliest delayed job is due, in ms, or nil.
local function next_due()
  local first = call('ZRANGE', K.delayed, 0, 0, 'WITHSCORES')
  return first[2] and math.floor(tonumber(first[2]) / 0x1000) or nil
end

-- Put a job into the delayed set, due at a time in ms. The score's low 12 bits keep the order of
-- adding within one millisecond. Sets the marker to the earliest time that is now known.
local function place_delayed(job_id, due)
  local low, high = due * 0x1000, (due + 1) * 0x1000 - 1
  local last = call('ZREVRANGEBYSCORE', K.delayed, high, low, 'WITHSCORES', 'LIMIT', 0, 1)
  local score = last[2] and math.min(tonumber(last[2]) + 1, high) or low
  call('ZADD', K.delayed, score, job_id)
  call('XADD', K.events, '*', 'event', 'delayed', 'jobId', job_id, 'delay', string.format('%.0f', due))
  call('ZADD', K.marker, next_due(), '1')
end

-- Wake a worker for what waits, or at the time when a delayed job is due: workers have gone to sleep
-- while no job could start, and would not look again.
local function rouse()
  if call('EXISTS', K.wait, K.prioritized) > 0 then
    wake()
  elseif next_due() then
    call('ZADD', K.marker, next_due(), '1')
  end
end
