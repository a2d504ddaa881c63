--[[ Remove waiting jobs, and delayed ones when asked; a scheduler's next job stays.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] '1' to remove delayed jobs too  [3] how many jobs a call at the most
  Returns how many were removed; the caller calls again until it is 0
  Bound   ARGV[3]
]]
--- @include "keys"
--- @include "forget"

local limit = tonumber(ARGV[3])
local kept = {}
local schedulers = call('ZRANGE', K.schedulers, 0, -1, 'WITHSCORES')
for i = 1, #schedulers, 2 do
  kept['repeat:' .. schedulers[i] .. ':' .. schedulers[i + 1]] = true
end

-- As many more are looked at as may have to stay.
local last = limit + #schedulers / 2 - 1
local removed = 0
for _, list in ipairs({ K.wait, K.paused }) do
  for _, job_id in ipairs(call('LRANGE', list, 0, last)) do
    if not kept[job_id] and removed < limit then
      call('LREM', list, 1, job_id)
      forget(job_id, true)
      removed = removed + 1
    end
  end
end
for _, set in ipairs({ K.prioritized, ARGV[2] == '1' and K.delayed or nil }) do
  for _, job_id in ipairs(call('ZRANGE', set, 0, last)) do
    if not kept[job_id] and removed < limit then
      call('ZREM', set, job_id)
      forget(job_id, true)
      removed = removed + 1
    end
  end
end
return removed
