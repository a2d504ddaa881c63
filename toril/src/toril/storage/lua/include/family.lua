-- Parents and children, as BullMQ keeps them. A child's field `parent` names its parent and what its
-- failure does to it. A parent `p` has its children's keys in `p:dependencies` (pending),
-- `p:processed` (their results), `p:failed` (reasons of failures that it ignores) and
-- `p:unsuccessful` (failures that fail it).
--- @include "elsewhere"
--- @include "clock"
--- @include "place"

-- The parent in a child's field: {base, id, key, fpof, cpof, idof, rdof}; nil when there is none.
local function parent_in(field)
  if not field then
    return nil
  end
  -- Another client may have written nonsense; then nobody waits for this child.
  local readable, parent = pcall(cjson.decode, field)
  if not readable or type(parent) ~= 'table' or not parent.queueKey or not parent.id then
    return nil
  end
  parent.base = parent.queueKey .. ':'
  parent.key = parent.base .. parent.id
  return parent
end

-- The next three run in the parent's own queue, by `elsewhere`.

local function place_parent(job_id)
  local job = call('HMGET', K.base .. job_id, 'priority', 'delay')
  local delay = tonumber(job[2] or 0) or 0
  if delay > 0 then
    place_delayed(job_id, now_ms() + delay)
  else
    place_waiting(job_id, tonumber(job[1] or 0) or 0, true)
    call('XADD', K.events, '*', 'event', 'waiting', 'jobId', job_id, 'prev', 'waiting-children')
    wake()
  end
end

local function release_parent(job_id)
  if call('EXISTS', K.base .. job_id) == 1 and call('ZREM', K.waiting_children, job_id) == 1 then
    place_parent(job_id)
  end
end

-- The parent is to fail as soon as a worker takes it, which is now if it waited for anything.
local function doom_parent(job_id, child_key)
  local key = K.base .. job_id
  if call('EXISTS', key) == 0 or call('ZSCORE', K.failed, job_id) or call('ZSCORE', K.completed, job_id) then
    return
  end
  call('HSET', key, 'defa', 'child ' .. child_key .. ' failed')
  if call('ZREM', K.waiting_children, job_id) + call('ZREM', K.delayed, job_id) > 0 then
    call('HSET', key, 'delay', 0)
    place_parent(job_id)
  end
end

local function release_when_none_is_pending(parent)
  if call('EXISTS', parent.key .. ':dependencies') == 0 then
    elsewhere(parent.base, release_parent, parent.id)
  end
end

local function tell_of_completion(field, child_key, result)
  local parent = parent_in(field)
  if parent and call('SREM', parent.key .. ':dependencies', child_key) == 1 then
    call('HSET', parent.key .. ':processed', child_key, result)
    release_when_none_is_pending(parent)
  end
end

-- Without a policy the parent goes on waiting: the child may be retried.
local function tell_of_failure(field, child_key, reason, now)
  local parent = parent_in(field)
  if not parent or not (parent.fpof or parent.cpof or parent.idof or parent.rdof)
    or call('SREM', parent.key .. ':dependencies', child_key) == 0 then
    return
  end
  if parent.fpof then
    call('ZADD', parent.key .. ':unsuccessful', now, child_key)
    elsewhere(parent.base, doom_parent, parent.id, child_key)
  elseif parent.cpof then
    call('HSET', parent.key .. ':failed', child_key, reason)
    elsewhere(parent.base, release_parent, parent.id)
  else
    if parent.idof then
      call('HSET', parent.key .. ':failed', child_key, reason)
    end
    release_when_none_is_pending(parent)
  end
end

-- A finished child is to run again, so its parent waits for it again, if it still waits.
local function tell_of_retry(field, child_key)
  local parent = parent_in(field)
  if parent and call('EXISTS', parent.key) == 1
    and call('HDEL', parent.key .. ':processed', child_key) + call('HDEL', parent.key .. ':failed', child_key)
      + call('ZREM', parent.key .. ':unsuccessful', child_key) > 0 then
    call('SADD', parent.key .. ':dependencies', child_key)
  end
end

-- Whether its children forbid a job to complete: nil no, -9 one has failed it, -4 some are pending.
local function children_in_the_way(key)
  if call('EXISTS', key .. ':unsuccessful') == 1 then
    return -9
  end
  return call('EXISTS', key .. ':dependencies') == 1 and -4 or nil
end
