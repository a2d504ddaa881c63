--[[ Remove a paused queue with all that belongs to it.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] '1' to do so although jobs are running  [3] how many jobs a call at the most
  Returns 0 nothing is left, 1 call again, -1 not paused, -2 jobs are running
  Bound   ARGV[3]
]]
--- @include "keys"
--- @include "forget"

if call('HEXISTS', K.meta, 'paused') == 0 then
  return -1
end
if ARGV[2] ~= '1' and call('LLEN', K.active) > 0 then
  return -2
end
local left = tonumber(ARGV[3])
for _, list in ipairs({ K.active, K.wait, K.paused }) do
  local ids = left > 0 and call('LRANGE', list, 0, left - 1) or {}
  for _, job_id in ipairs(ids) do
    call('DEL', K.base .. job_id .. ':lock')
    forget(job_id, true)
  end
  call('LTRIM', list, #ids, -1)
  left = left - #ids
end
for _, set in ipairs({ K.delayed, K.prioritized, K.completed, K.failed, K.waiting_children }) do
  local ids = left > 0 and call('ZRANGE', set, 0, left - 1) or {}
  for _, job_id in ipairs(ids) do
    forget(job_id, true)
    call('ZREM', set, job_id)
  end
  left = left - #ids
end
local schedulers = left > 0 and call('ZRANGE', K.schedulers, 0, left - 1) or {}
for _, scheduler in ipairs(schedulers) do
  call('DEL', K.schedulers .. ':' .. scheduler)
  call('ZREM', K.schedulers, scheduler)
end
if left - #schedulers <= 0 then
  return 1
end
call('DEL', K.events, K.stalled, K.stalled_check, K.id, K.pc, K.marker, K.limiter, K.meta, K.retention,
  K.cancels, K.base .. 'toril:beats', K.base .. 'toril:beating', K.base .. 'toril:workers',
  K.base .. 'toril:schedules', K.base .. 'toril:schedules:releases', K.base .. 'toril:schedulers-check',
  K.base .. 'toril:history',
  K.base .. 'metrics:completed', K.base .. 'metrics:completed:data',
  K.base .. 'metrics:failed', K.base .. 'metrics:failed:data')
return 0
