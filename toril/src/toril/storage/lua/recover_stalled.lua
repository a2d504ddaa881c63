--[[ Give back jobs whose worker has died: active, marked at the last check, and without a lock.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] how often a job may stall  [3] ms between two checks of all workers
  Returns the ids given back; a job over its limit is given back marked to fail (field `defa`)
  Events  waiting, stalled
  Bound   1,000 marked jobs a call; the active list is marked whole
]]
--- @include "keys"
--- @include "clock"
--- @include "queue_state"
--- @include "memory"
--- @include "stall"

go_on_when_full()
if not call('SET', K.stalled_check, now_ms(), 'PX', ARGV[3], 'NX') then
  return {}
end
trim_events()

local given_back = {}
for _, job_id in ipairs(call('SPOP', K.stalled, 1000)) do
  local key = K.base .. job_id
  if call('EXISTS', key .. ':lock') == 0 and call('LREM', K.active, 1, job_id) > 0 and call('EXISTS', key) == 1 then
    give_back_stalled(job_id, tonumber(ARGV[2]))
    given_back[#given_back + 1] = job_id
  end
end
if #given_back > 0 then
  wake()
end

local active = call('LRANGE', K.active, 0, -1)
for from = 1, #active, 5000 do
  call('SADD', K.stalled, unpack(active, from, math.min(from + 4999, #active)))
end
return given_back
