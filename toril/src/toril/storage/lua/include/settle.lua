-- Record the outcome of one run. A job leaves `active` only here or in recover_stalled.
--- @include "place"
--- @include "family"
--- @include "forget"
--- @include "deduplicate"
--- @include "limit"

-- One settlement is an id, a text and a shape, each in a list of its own. Few shapes serve many jobs: {kind,
-- token, trace, keep count, keep age in ms, delay in ms, attempts, lifo}.
local COMPLETE, FAIL, RETRY, SNOOZE, UNBEGUN, WAIT, LIMIT = 'c', 'f', 'r', 's', 'u', 'w', 'l'

-- Score and id of each job that has ended in this call, to be written in one command a set.
local ended = { completed = {}, failed = {} }

local function write_ended()
  for target, members in pairs(ended) do
    if #members > 0 then
      call('ZADD', K[target], unpack(members))
      ended[target] = {}
    end
  end
end

local function finish(job_id, key, now, kind, text, trace, keep_count, attempts, made, dedup_id, parent, prev)
  local target = kind == COMPLETE and 'completed' or 'failed'
  local field = kind == COMPLETE and 'returnvalue' or 'failedReason'
  if dedup_id then
    release_deduplication(dedup_id, job_id, false)
    follow(dedup_id, now)
  end
  if parent then
    write_ended() -- the parent may be among them
    if kind == COMPLETE then
      tell_of_completion(parent, key, text)
    else
      tell_of_failure(parent, key, text, now)
    end
  end
  if keep_count == 0 then
    leave_parent(parent, job_id, false)
    forget_keys(job_id)
  else
    local members = ended[target]
    members[#members + 1] = now
    members[#members + 1] = job_id
    if kind == COMPLETE then
      call('HSET', key, 'atm', made, field, text, 'finishedOn', now)
    else
      call('HSET', key, 'atm', made, field, text, 'finishedOn', now, 'stacktrace', trace)
      call('HDEL', key, 'defa', 'toril:cancel')
    end
  end
  call('XADD', K.events, '*', 'event', target, 'jobId', job_id, field, text, 'prev', prev or 'active')
  if kind == FAIL and made >= attempts then
    call('XADD', K.events, '*', 'event', 'retries-exhausted', 'jobId', job_id, 'attemptsMade', made)
  end
end

-- How many failed jobs a job's own options keep, and how long in ms; -1 for all.
local function own_retention(key)
  local readable, opts = pcall(cjson.decode, call('HGET', key, 'opts') or '{}')
  local keep = readable and type(opts) == 'table' and opts.removeOnFail
  if keep == true then
    return 0, -1
  end
  if type(keep) == 'number' then
    return keep, -1
  end
  if type(keep) ~= 'table' then
    return -1, -1
  end
  return tonumber(keep.count) or -1, (tonumber(keep.age) or -0.001) * 1000
end

-- Fail a job that was cancelled. Returns its own retention, for the caller to keep.
local function fail_cancelled(job_id, key, now, reason, made, dedup_id, parent, prev)
  local count, age_ms = own_retention(key)
  local text = reason == '' and 'cancelled' or 'cancelled: ' .. reason
  local traces = call('HGET', key, 'stacktrace') or '[]'
  finish(job_id, key, now, FAIL, text, traces, count, math.huge, made, dedup_id, parent, prev)
  return count, age_ms
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
    if kind == SNOOZE then
      place_first(job_id, priority) -- it was first already
    else
      place_waiting(job_id, priority, lifo)
    end
    call('XADD', K.events, '*', 'event', 'waiting', 'jobId', job_id, 'prev', 'active')
    wake()
  end
end

-- A job goes to wait for its children; at once back, at the head, when none is pending any more.
local function wait_for_children(job_id, key, now)
  call('ZADD', K.waiting_children, now, job_id)
  call('XADD', K.events, '*', 'event', 'waiting-children', 'jobId', job_id, 'prev', 'active')
  call('HSET', key, 'delay', 0)
  if call('EXISTS', key .. ':dependencies') == 0 then
    release_parent(job_id)
  end
end

local IN_THE_WAY = { [-4] = 'job has pending children', [-9] = 'a child of the job has failed' }

-- Whether there is nothing for settling and fetching to heed but what waits and runs, as is the rule:
-- no delayed job, limit, or mark of the stalled check, and no children of a job that has ended. One
-- command tells it for all.
local function nothing_special(keys, shapes)
  local special = { K.delayed, K.limiter, K.stalled }
  for i, key in ipairs(keys) do
    local kind = shapes[i][1]
    if kind ~= COMPLETE and kind ~= FAIL then
      return false
    end
    special[2 * i + 2], special[2 * i + 3] = key .. ':dependencies', key .. ':unsuccessful'
  end
  return call('EXISTS', unpack(special)) == 0
end

-- Returns 0, or why not: -1 no such job, -3 not active, -4 children are pending or -9 have failed
-- the job, so that it has failed instead of completed, -10 it was cancelled, so that it has failed.
-- Its lock was this settlement's, and is gone.
local function settle(job_id, key, text, shape, now, look_for_children)
  local kind = shape[1]
  if call('LREM', K.active, -1, job_id) == 0 then
    return -3
  end
  local job = redis.pcall('HMGET', key, 'atm', 'deid', 'priority', 'name', 'parent', 'toril:cancel')
  if job.err or (not job[4] and call('EXISTS', key) == 0) then
    return -1
  end
  local made = (tonumber(job[1]) or 0) + 1
  local refused = look_for_children and (kind == COMPLETE or kind == WAIT) and children_in_the_way(key)
  if refused == -9 or (refused == -4 and kind == COMPLETE) then
    finish(job_id, key, now, FAIL, IN_THE_WAY[refused], '[]', -1, shape[7], made, job[2], job[5])
    return refused
  end
  if job[6] then
    call('HDEL', key, 'toril:cancel')
    if kind ~= COMPLETE and kind ~= FAIL then
      fail_cancelled(job_id, key, now, job[6], made, job[2], job[5])
      return -10
    end
  end
  if kind == COMPLETE or kind == FAIL then
    finish(job_id, key, now, kind, text, shape[3], shape[4], shape[7], made, job[2], job[5])
  elseif kind == WAIT then
    wait_for_children(job_id, key, now)
  elseif kind == UNBEGUN then
    call('HINCRBY', key, 'ats', -1)
    run_again(job_id, key, now, SNOOZE, '', '', 0, made, tonumber(job[3]) or 0)
  elseif kind == LIMIT then
    block(shape[6])
    run_again(job_id, key, now, SNOOZE, '', '', 0, made, tonumber(job[3]) or 0)
  else
    run_again(job_id, key, now, kind, text, shape[3], shape[6], made, tonumber(job[3]) or 0, shape[8])
  end
  return 0
end

-- Give back the locks of all runs at once. Returns codes of those that had none: -2 no lock, -6 the
-- lock is another's; the others' places are empty.
local function unlock(ids, keys, shapes, plain)
  local locks, held, free, codes = {}, {}, {}, {}
  for i, key in ipairs(keys) do
    locks[i] = key .. ':lock'
  end
  local holders = call('MGET', unpack(locks))
  for i, lock in ipairs(locks) do
    if holders[i] == shapes[i][2] then
      held[#held + 1] = lock
      free[#free + 1] = ids[i]
    else
      codes[i] = holders[i] and -6 or -2
    end
  end
  if #held > 0 then
    call('DEL', unpack(held))
    if not plain then
      call('SREM', K.stalled, unpack(free))
    end
  end
  return codes
end

-- Returns a code for each settlement, and what nothing_special says.
local function settle_all(ids, texts, shapes, now)
  local keys = {}
  for i, job_id in ipairs(ids) do
    keys[i] = K.base .. job_id
  end
  local plain = nothing_special(keys, shapes)
  local codes = unlock(ids, keys, shapes, plain)
  for i, job_id in ipairs(ids) do
    codes[i] = codes[i] or settle(job_id, keys[i], texts[i], shapes[i], now, not plain)
  end
  write_ended()
  return codes, plain
end
