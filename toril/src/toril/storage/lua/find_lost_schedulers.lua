--[[ Find job schedulers whose newest job neither waits nor runs: it is lost, or it was the last one.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] first place in the set  [3] how many  [4] ms between two looks of all workers
  Returns {now in ms, 1 if there are more places, id, due in ms, {field, value, …}, job's options or '',
          1 if that job has finished, …}; nothing is looked at when others have looked
  Bound   ARGV[3] schedulers
]]
--- @include "keys"
--- @include "clock"
--- @include "scheduler"

local now = now_ms()
if ARGV[2] == '0' and not call('SET', K.base .. 'toril:schedulers-check', ms(now), 'PX', ARGV[4], 'NX') then
  return { now, 0 }
end
local first, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local page = call('ZRANGE', K.schedulers, first, first + count - 1, 'WITHSCORES')
local found = { now, #page == 2 * count and 1 or 0 }
for i = 1, #page, 2 do
  local job_id = job_at(page[i], page[i + 1])
  if not is_alive(job_id) then
    local job = redis.pcall('HMGET', K.base .. job_id, 'opts', 'finishedOn')
    found[#found + 1] = page[i]
    found[#found + 1] = page[i + 1]
    found[#found + 1] = call('HGETALL', K.schedulers .. ':' .. page[i])
    found[#found + 1] = not job.err and job[1] or ''
    found[#found + 1] = not job.err and job[2] and 1 or 0
  end
end
return found
