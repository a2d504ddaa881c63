-- A job scheduler: its place in the sorted set (when its newest job is due), its hash, that job.
--- @include "store"
--- @include "forget"
--- @include "memory"

-- How much of a waiting list is searched for one job; in a longer one a job is taken to be there.
local SEARCHED = 100000

local function ms(number)
  return string.format('%.0f', number)
end

local function job_at(id, at)
  return 'repeat:' .. id .. ':' .. ms(at)
end

-- Whether a job is neither finished nor lost: it waits, or a worker has it.
local function is_alive(job_id)
  local key = K.base .. job_id
  local job = redis.pcall('HMGET', key, 'name', 'finishedOn')
  if job.err or not job[1] or job[2] then
    return false
  end
  if call('ZSCORE', K.delayed, job_id) or call('ZSCORE', K.prioritized, job_id)
    or call('EXISTS', key .. ':lock') == 1 or call('ZSCORE', K.waiting_children, job_id)
    or call('LPOS', K.active, job_id) then
    return true
  end
  for _, list in ipairs({ K.wait, K.paused }) do
    if call('LPOS', list, job_id, 'MAXLEN', SEARCHED) or call('LLEN', list) > SEARCHED then
      return true
    end
  end
  return false
end

-- Take a job away that no worker has begun; returns whether it was there.
local function take_away(job_id)
  local gone = call('ZREM', K.delayed, job_id) + call('ZREM', K.prioritized, job_id)
    + call('LREM', K.wait, 1, job_id) + call('LREM', K.paused, 1, job_id)
  if gone > 0 then
    forget(job_id, true)
    call('XADD', K.events, '*', 'event', 'removed', 'jobId', job_id, 'prev', 'delayed')
  end
  return gone > 0
end

-- Make the job of one instant. A Node worker reads these options to make the one after it.
local function make(id, at, name, data, opts, priority, lifo, now)
  local job_id = job_at(id, at)
  local delay = math.max(0, at - now)
  opts = '{"jobId":' .. cjson.encode(job_id) .. ',"repeatJobKey":' .. cjson.encode(id) .. ',"prevMillis":' .. ms(at)
    .. ',"timestamp":' .. ms(now) .. ',"delay":' .. ms(delay) .. ',' .. string.sub(opts, 2)
  call('ZADD', K.schedulers, ms(at), id)
  call('INCR', K.id)
  store(job_id, name, data, opts, now, delay, priority, lifo, { 'rjk', id })
  if delay == 0 then
    wake()
  end
  return job_id
end

local DEFINITION = { 'name', 'pattern', 'tz', 'every', 'startDate', 'endDate', 'limit', 'opts', 'data' }
local TIMING = { 'pattern', 'tz', 'every', 'startDate' }

-- Whether the hash says the same as the definition in these fields.
local function says(key, names, definition)
  local found = call('HMGET', key, unpack(names))
  for i, name in ipairs(names) do
    if (found[i] or nil) ~= definition[name] then
      return false
    end
  end
  return not definition.offset or call('HGET', key, 'offset') == definition.offset
end

-- Keep toril's own field of the hash; returns whether it was another.
local function set_own(key, own)
  local before = call('HGET', key, 'toril') or ''
  if before == own then
    return false
  end
  if own == '' then
    call('HDEL', key, 'toril')
  else
    call('HSET', key, 'toril', own)
  end
  return true
end

local function remove_scheduler(id)
  local before = call('ZSCORE', K.schedulers, id)
  if not before then
    return false
  end
  take_away(job_at(id, before))
  call('ZREM', K.schedulers, id)
  call('DEL', K.schedulers .. ':' .. id)
  return true
end

-- When the first job of a changed scheduler is due; nil when none is to be made now. `pending`: its
-- old job had not begun, and is taken away.
local function first_run(s, before, pending, same_timing, now)
  if pending and (same_timing or before <= now) then
    return before
  end
  if s.catch_up and same_timing and is_alive(job_at(s.id, before)) then
    return nil -- it may be behind: it makes the next one itself
  end
  local every = tonumber(s.definition.every)
  if every then
    local at = s.first[1]
    if before and same_timing then
      at = before + every
      if at < now then
        at = before + (math.floor((now - before) / every) + 1) * every
      end
    end
    while at and call('EXISTS', K.base .. job_at(s.id, at)) == 1 do
      at = at + every
    end
    return at
  end
  for _, at in ipairs(s.first) do
    -- The old pattern may have had this time, too, and its job have run.
    local made = before and at <= (pending and now or before)
    if not made and call('EXISTS', K.base .. job_at(s.id, at)) == 0 then
      return at
    end
  end
  -- All have passed on the way here. A job that was taken away comes back; one that is running makes
  -- the next one itself, or that is taken for lost and made.
  return pending and before or nil
end

-- Make or change a scheduler and its next job; returns whether anything changed. An unchanged one is
-- left as it is. s: {id, definition {field: value} of the hash, own, catch_up: missed runs are made up,
-- first {ms, …}, opts, priority, lifo}
local function upsert(s, now)
  local key = K.schedulers .. ':' .. s.id
  local before = call('ZSCORE', K.schedulers, s.id)
  before = before and tonumber(before)
  if before and says(key, DEFINITION, s.definition) then
    return set_own(key, s.own)
  end
  refuse_when_full()
  local same_timing = before and says(key, TIMING, s.definition)
  local pending = before and take_away(job_at(s.id, before))
  local at = first_run(s, before, pending, same_timing, now)
  local over = not at and #s.first == 0
  if over or at and at > (tonumber(s.definition.endDate) or at) then
    return remove_scheduler(s.id)
  end
  trim_events() -- which makes the queue's meta hash, too, by which it is found
  local made = call('HGET', key, 'ic') or 1
  local every = tonumber(s.definition.every)
  call('DEL', key)
  for field, value in pairs(s.definition) do
    call('HSET', key, field, value)
  end
  call('HSET', key, 'ic', made, 'offset', s.definition.offset or (every and ms((at or before) % every)) or '0')
  set_own(key, s.own)
  if at then
    make(s.id, at, s.definition.name, s.definition.data or '{}', s.opts, s.priority, s.lifo, now)
  elseif not before then
    -- Its first runs were made under its name before: the one after the last follows, when that is
    -- taken or found to have ended.
    call('ZADD', K.schedulers, ms(s.first[#s.first]), s.id)
  end
  return true
end
