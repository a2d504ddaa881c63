-- Count ends by the minute, as BullMQ's getMetrics reads them: `count` so far in all, and a list of
-- how many there were in each minute that is over, the newest first.
--- @include "keys"

-- target: completed or failed; points: how many minutes are kept.
local function count_ends(target, ends, points, now)
  local key = K.base .. 'metrics:' .. target
  local before = call('HINCRBY', key, 'count', ends) - ends
  local last = call('HMGET', key, 'prevTS', 'prevCount')
  if not last[1] then
    call('HSET', key, 'prevTS', now, 'prevCount', 0)
    return
  end
  local minutes = math.min(math.floor(now / 60000) - math.floor(tonumber(last[1]) / 60000), points)
  if minutes <= 0 then
    return
  end
  local list = { before - tonumber(last[2] or 0) }
  for i = 2, minutes do
    list[i] = 0
  end
  for from = 1, #list, 5000 do
    call('LPUSH', key .. ':data', unpack(list, from, math.min(from + 4999, #list)))
  end
  call('LTRIM', key .. ':data', 0, points - 1)
  call('HSET', key, 'prevCount', before, 'prevTS', now)
end
