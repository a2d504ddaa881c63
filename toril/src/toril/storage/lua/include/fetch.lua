-- Move waiting jobs to `active`, lock them and read them.
--- @include "promote_due"
--- @include "limit"

-- Move up to `wanted` waiting jobs to `active`; returns their ids.
local function take(wanted)
  if wanted == 1 then
    local id = call('LMOVE', K.wait, K.active, 'RIGHT', 'LEFT')
    if id then
      return { id }
    end
  end
  local ids = call('RPOP', K.wait, wanted) or {}
  if #ids < wanted then
    local popped = call('ZPOPMIN', K.prioritized, wanted - #ids)
    if #popped == 0 then
      call('DEL', K.pc)
    end
    for i = 1, #popped, 2 do
      ids[#ids + 1] = popped[i]
    end
  end
  if #ids > 0 then
    call('LPUSH', K.active, unpack(ids))
  end
  return ids
end

-- How many runs have begun before, by the job's hash.
local function runs_in(hash)
  for i = 1, #hash, 2 do
    if hash[i] == 'ats' then
      return tonumber(hash[i + 1]) or 0
    end
  end
  return 0
end

-- Ms until a delayed job is due, or -1 when there is none.
local function until_due(now)
  local due = next_due()
  return due and math.max(0, due - now) or -1
end

-- Returns jobs as {id, {field, value, …}, …} and ms until it is worth asking again (-1: unknown).
-- A job whose hash is missing or no hash is taken out of the queue and returned with an empty list.
-- meta: what read_meta says. plain: whether it is known that no job is delayed and no limit stands.
-- own_max, own_duration: the worker's own rate limit, for a queue that has none; 0 for none.
local function fetch(wanted, token, lock_ms, worker, now, meta, plain, own_max, own_duration)
  if not plain then
    promote_due(now)
  end
  local paused, room, max, duration = queue_state(meta)
  if not max and own_max > 0 then
    max, duration = own_max, own_duration
  end
  if paused then
    return {}, -1
  end
  local allowed, limited_for = math.min(wanted, room or wanted), 0
  if max or not plain then
    allowed, limited_for = within_rate(allowed, max)
  end
  if allowed <= 0 then
    return {}, limited_for > 0 and limited_for or until_due(now)
  end
  local ids = take(allowed)
  local jobs = {}
  if #ids > 0 then
    if max then
      count_starts(#ids, duration or own_duration)
    end
    for i, job_id in ipairs(ids) do
      local key = K.base .. job_id
      local hash = redis.pcall('HGETALL', key)
      jobs[2 * i - 1] = job_id
      if hash.err or #hash == 0 then
        call('LREM', K.active, 1, job_id)
        jobs[2 * i] = {}
      else
        call('SET', key .. ':lock', token, 'PX', lock_ms)
        call('HSET', key, 'processedOn', now, 'pb', worker, 'ats', runs_in(hash) + 1)
        call('XADD', K.events, '*', 'event', 'active', 'jobId', job_id, 'prev', 'waiting')
        jobs[2 * i] = hash
      end
    end
  end
  if #ids == allowed then
    if call('EXISTS', K.wait, K.prioritized) > 0 and room ~= #ids then
      call('ZADD', K.marker, 0, '0')
    end
    if #ids == wanted then
      return jobs, -1
    end
  end
  return jobs, until_due(now)
end
