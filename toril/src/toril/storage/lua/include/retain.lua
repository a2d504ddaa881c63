-- Keep a finished set within its limits, a bounded number of jobs a call.
--- @include "forget"

local RETAIN_LIMIT = 1000

-- Forget jobs that have left a finished set.
local function drop(set, ids)
  if set == K.failed then
    for _, job_id in ipairs(ids) do
      -- Its parent may still wait for it, in the hope of a retry.
      leave_parent(call('HGET', K.base .. job_id, 'parent'), job_id, false)
    end
  end
  forget_keys_of(ids)
  return #ids
end

-- Take the oldest out of a finished set; returns their ids.
local function pop_oldest(set, count)
  local popped, ids = call('ZPOPMIN', set, count), {}
  for i = 1, #popped, 2 do
    ids[#ids + 1] = popped[i]
  end
  return ids
end

-- count: how many to keep, or -1 for all; age_ms: how old they may be, or -1. Returns how many went.
local function retain(set, now, count, age_ms)
  local gone = 0
  if age_ms >= 0 then
    local old = call('ZRANGEBYSCORE', set, '-inf', now - age_ms, 'LIMIT', 0, RETAIN_LIMIT)
    if #old > 0 then
      call('ZREM', set, unpack(old))
      gone = drop(set, old)
    end
  end
  if count >= 0 then
    local surplus = math.min(call('ZCARD', set) - count, RETAIN_LIMIT)
    if surplus > 0 then
      gone = gone + drop(set, pop_oldest(set, surplus))
    end
  end
  return gone
end
