-- The server's clock in whole milliseconds: delays and schedules never look at a client's.
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
