-- The rate limit of all workers, in BullMQ's key: how many jobs have begun in the window that runs.
--- @include "keys"

-- BullMQ's mark of a queue that may start no job until the key expires: more than any count.
local NO_MORE = '9007199254740991'

local function block(ms)
  call('SET', K.limiter, NO_MORE, 'PX', ms)
end

-- How many of `wanted` jobs may start now, and ms until more may (0: no limit stands in the way).
local function within_rate(wanted, max)
  local used = tonumber(call('GET', K.limiter) or 0)
  if used < (max or tonumber(NO_MORE)) then
    return max and math.min(wanted, max - used) or wanted, 0
  end
  local ttl = call('PTTL', K.limiter)
  if ttl > 0 then
    return 0, ttl
  end
  call('DEL', K.limiter)
  return math.min(wanted, max or wanted), 0
end

local function count_starts(starts, duration)
  if call('INCRBY', K.limiter, starts) == starts then
    call('PEXPIRE', K.limiter, duration)
  end
end
