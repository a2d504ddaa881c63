-- Deduplication, as BullMQ keeps it: `de:<key>` holds the id of the job that further adds are taken
-- for, `dn:<key>` the newest of those that came while that job ran, which follows it.
--- @include "store"
--- @include "forget"

-- The letters of an add's deduplication flags.
local EXTEND, REPLACE, RESCHEDULE, KEEP_LAST = 'x', 'r', 's', 'k'

local function hold(key, job_id, ttl, keep_last)
  if ttl > 0 and not keep_last then
    call('SET', key, job_id, 'PX', ttl)
  else
    call('SET', key, job_id)
  end
end

-- shape: as add_jobs has it.
-- Returns the id of the job that this one is taken for; nil when it is to be added, as the new holder.
local function deduplicate(shape, data, job_id, now)
  local dedup_id, ttl = shape[6], shape[7]
  local function has(flag)
    return string.find(shape[8], flag, 1, true) ~= nil
  end
  local keep_last = has(KEEP_LAST)
  local key, next_key = K.base .. 'de:' .. dedup_id, K.base .. 'dn:' .. dedup_id
  local holder = call('GET', key)
  if not holder then
    hold(key, job_id, ttl, keep_last)
    return nil
  end
  if call('PTTL', key) == -1 and call('EXISTS', K.base .. holder) == 0 then
    call('DEL', next_key) -- the holder was lost: the window begins anew
    hold(key, job_id, ttl, keep_last)
    return nil
  end
  if has(REPLACE) and call('ZREM', K.delayed, holder) == 1 then
    leave_parent(call('HGET', K.base .. holder, 'parent'), holder, false)
    forget_keys(holder)
    call('DEL', next_key)
    call('XADD', K.events, '*', 'event', 'removed', 'jobId', holder, 'prev', 'delayed')
    call('XADD', K.events, '*', 'event', 'deduplicated', 'jobId', job_id,
      'deduplicationId', dedup_id, 'deduplicatedJobId', holder)
    if ttl > 0 and not keep_last and not has(EXTEND) then
      call('SET', key, job_id, 'KEEPTTL')
    else
      hold(key, job_id, ttl, keep_last)
    end
    return nil
  end
  if keep_last and call('LPOS', K.active, holder) then
    call('DEL', next_key)
    call('HSET', next_key, 'name', shape[1], 'data', data, 'opts', shape[2], 'jid', job_id)
    call('PERSIST', key)
  elseif has(EXTEND) and ttl > 0 and not has(REPLACE) then
    hold(key, holder, ttl, keep_last)
  end
  call('XADD', K.events, '*', 'event', 'deduplicated', 'jobId', holder,
    'deduplicationId', dedup_id, 'deduplicatedJobId', job_id)
  if has(RESCHEDULE) and not has(REPLACE) and call('ZREM', K.delayed, holder) == 1 then
    call('HSET', K.base .. holder, 'delay', shape[3])
    place_delayed(holder, now + shape[3])
  end
  return holder
end

-- Add the job that is to follow the one that has just ended, if there is one.
local function follow(dedup_id, now)
  local next_key = K.base .. 'dn:' .. dedup_id
  local found = call('HMGET', next_key, 'name', 'data', 'opts', 'jid', 'pk', 'pd', 'pdk', 'rjk')
  if not found[1] then
    return
  end
  local counted = call('INCR', K.id)
  local job_id = found[4] or string.format('%.0f', counted)
  call('DEL', next_key)
  if call('EXISTS', K.base .. job_id) == 1 then -- a job of that own id was added meanwhile
    call('XADD', K.events, '*', 'event', 'duplicated', 'jobId', job_id)
    return
  end
  local opts = cjson.decode(found[3] or '{}')
  local dedup = opts.de or {}
  hold(K.base .. 'de:' .. dedup_id, job_id, dedup.ttl or 0, dedup.keepLastIfActive)
  local extra = { 'deid', dedup_id }
  for name, value in pairs({ parentKey = found[5], parent = found[6], rjk = found[8] }) do
    if value then
      extra[#extra + 1] = name
      extra[#extra + 1] = value
    end
  end
  local delay = tonumber(opts.delay) or 0
  store(job_id, found[1], found[2] or '{}', found[3] or '{}', now, delay, tonumber(opts.priority) or 0,
    opts.lifo, extra)
  if found[7] then
    call('SADD', found[7], K.base .. job_id)
  end
  if delay == 0 then
    wake()
  end
end
