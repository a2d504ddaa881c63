-- Keep a finished set within its limits, a bounded number of jobs a call.
--- @include "forget"

local RETAIN_LIMIT = 1000

local function drop(set, ids)
  if #ids > 0 then
    for _, job_id in ipairs(ids) do
      if set == K.failed then
        -- Its parent may still wait for it, in the hope of a retry.
        leave_parent(call('HGET', K.base .. job_id, 'parent'), job_id, false)
      end
      forget_keys(job_id)
    end
    call('ZREM', set, unpack(ids))
  end
  return #ids
end

-- count: how many to keep, or -1 for all; age_ms: how old they may be, or -1. Returns how many went.
local function retain(set, now, count, age_ms)
  local gone = 0
  if age_ms >= 0 then
    gone = drop(set, call('ZRANGEBYSCORE', set, '-inf', now - age_ms, 'LIMIT', 0, RETAIN_LIMIT))
  end
  if count >= 0 then
    local surplus = math.min(call('ZCARD', set) - count, RETAIN_LIMIT)
    if surplus > 0 then
      gone = gone + drop(set, call('ZRANGE', set, 0, surplus - 1))
    end
  end
  return gone
end
