-- Move delayed jobs to where they wait for a worker: all of `ids`, or those whose time has come.
--- @include "place"

local function promote(ids)
  if #ids == 0 then
    return 0
  end
  call('ZREM', K.delayed, unpack(ids))
  local together = {}
  for _, job_id in ipairs(ids) do
    local key = K.base .. job_id
    local priority = redis.pcall('HGET', key, 'priority')
    if type(priority) == 'string' or priority == false then
      local number = tonumber(priority or 0) or 0
      if number > 0 then
        place_waiting(job_id, number, false)
      else
        together[#together + 1] = job_id
      end
      if priority then
        call('HSET', key, 'delay', 0)
      end
      call('XADD', K.events, '*', 'event', 'waiting', 'jobId', job_id, 'prev', 'delayed')
    end
  end
  if #together > 0 then
    call('LPUSH', K.wait, unpack(together))
  end
  wake()
  return #ids
end

local PROMOTED_AT_ONCE = 100
local PROMOTE_SECONDS = 0.0015
local PROMOTE_ROUNDS = 3
-- Scripts of Redis 6.2 have no clock: there a number bounds what one call does.
local timed, clock = pcall(function() return os.clock end)

-- How long other clients wait meanwhile is bounded by the server's own speed, where that can be told.
local function promote_due(now)
  local begun, rounds = timed and clock(), 0
  repeat
    local due = call('ZRANGEBYSCORE', K.delayed, 0, (now + 1) * 0x1000 - 1, 'LIMIT', 0, PROMOTED_AT_ONCE)
    promote(due)
    rounds = rounds + 1
    local over = not timed and rounds == PROMOTE_ROUNDS or timed and clock() - begun > PROMOTE_SECONDS
  until over or #due < PROMOTED_AT_ONCE
end
