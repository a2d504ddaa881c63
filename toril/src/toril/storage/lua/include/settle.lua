-- Record the outcome of one run. A job leaves `active` only here or in recover_stalled.
--- @include "place"
--- @include "forget"

-- One settlement is {kind, id, token, text, trace, keep count, keep age in ms, delay in ms, attempts}.
local COMPLETE, FAIL, RETRY, SNOOZE = 'c', 'f', 'r', 's'

local function finish(job_id, key, now, kind, text, trace, keep_count, attempts, made, dedup_id)
  local target = kind == COMPLETE and 'completed' or 'failed'
  local field = kind == COMPLETE and 'returnvalue' or 'failedReason'
  release_deduplication(dedup_id, job_id, false)
  if keep_count == 0 then
    forget_keys(job_id)
  else
    call('ZADD', K[target], now, job_id)
    if kind == COMPLETE then
      call('HSET', key, 'atm', made, field, text, 'finishedOn', now)
    else
      call('HSET', key, 'atm', made, field, text, 'finishedOn', now, 'stacktrace', trace)
      call('HDEL', key, 'defa')
    end
  end
  call('XADD', K.events, '*', 'event', target, 'jobId', job_id, field, text, 'prev', 'active')
  if kind == FAIL and made >= attempts then
    call('XADD', K.events, '*', 'event', 'retries-exhausted', 'jobId', job_id, 'attemptsMade', made)
  end
end

local function run_again(job_id, key, now, kind, text, trace, delay, made, priority, lifo)
  if kind == RETRY then
    call('HSET', key, 'atm', made, 'failedReason', text, 'stacktrace', trace, 'delay', delay)
  else
    call('HSET', key, 'delay', delay)
  end
  if delay > 0 then
    place_delayed(job_id, now + delay)
  else
    -- A job that is handed back unspent goes to the head: it was first already.
    place_waiting(job_id, priority, kind == SNOOZE or lifo)
    call('XADD', K.events, '*', 'event', 'waiting', 'jobId', job_id, 'prev', 'active')
    wake()
  end
end

-- Returns 0, or why not: -1 no such job, -2 no lock, -3 not active, -6 the lock is another's.
local function settle(s, now)
  local kind, job_id = s[1], s[2]
  local key = K.base .. job_id
  local lock_key = key .. ':lock'
  local holder = call('GET', lock_key)
  if holder ~= s[3] then
    return holder and -6 or -2
  end
  call('DEL', lock_key)
  call('SREM', K.stalled, job_id)
  if call('LREM', K.active, -1, job_id) == 0 then
    return -3
  end
  local job = call('HMGET', key, 'atm', 'deid', 'priority', 'name')
  if not job[4] and call('EXISTS', key) == 0 then
    return -1
  end
  local made = (tonumber(job[1]) or 0) + 1
  if kind == COMPLETE or kind == FAIL then
    finish(job_id, key, now, kind, s[4], s[5], s[6], s[9], made, job[2])
  else
    run_again(job_id, key, now, kind, s[4], s[5], s[8], made, tonumber(job[3]) or 0, s[10])
  end
  return 0
end
