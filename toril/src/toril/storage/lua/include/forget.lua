-- Take away what belongs to a job beside its place in a set or list.
--- @include "family"

local function forget_keys(job_id)
  local key = K.base .. job_id
  return call('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed',
    key .. ':unsuccessful')
end

-- The same for many, in few commands.
local function forget_keys_of(ids)
  for from = 1, #ids, 500 do
    local keys = {}
    for i = from, math.min(from + 499, #ids) do
      local key, n = K.base .. ids[i], #keys
      keys[n + 1], keys[n + 2], keys[n + 3] = key, key .. ':logs', key .. ':dependencies'
      keys[n + 4], keys[n + 5], keys[n + 6] = key .. ':processed', key .. ':failed', key .. ':unsuccessful'
    end
    call('DEL', unpack(keys))
  end
end

-- Free a deduplication key that this job holds. When a job ends, one with a time to live keeps it
-- (throttle mode); when it is removed, what was to follow it goes too, unless another job holds the key.
local function release_deduplication(dedup_id, job_id, removed)
  if not dedup_id then
    return
  end
  local key = K.base .. 'de:' .. dedup_id
  local holder = call('GET', key)
  if holder == job_id and (removed or call('PTTL', key) == -1) then
    call('DEL', key)
    holder = nil
  end
  if removed and not holder then
    call('DEL', K.base .. 'dn:' .. dedup_id)
  end
end

-- A child that is gone is waited for no longer. With `hard`, a parent of the same queue that has
-- lost its last pending child this way goes too, and so on upwards; else it runs.
local function leave_parent(field, job_id, hard)
  local child_key = K.base .. job_id
  local parent = parent_in(field)
  while parent and call('SREM', parent.key .. ':dependencies', child_key) == 1
    and call('EXISTS', parent.key .. ':dependencies') == 0 do
    if not hard or parent.base ~= K.base then
      elsewhere(parent.base, release_parent, parent.id)
      return
    end
    if call('ZREM', K.waiting_children, parent.id) == 0 then
      return
    end
    local kin = call('HMGET', parent.key, 'deid', 'parent')
    release_deduplication(kin[1], parent.id, true)
    forget_keys(parent.id)
    call('XADD', K.events, '*', 'event', 'removed', 'jobId', parent.id, 'prev', 'waiting-children')
    child_key, parent = parent.key, parent_in(kin[2])
  end
end

-- Remove a job of which nothing is to be kept.
local function forget(job_id, hard)
  local job = redis.pcall('HMGET', K.base .. job_id, 'deid', 'parent')
  if not job.err then
    release_deduplication(job[1], job_id, true)
    leave_parent(job[2], job_id, hard)
  end
  return forget_keys(job_id)
end
