--[[ Let finished jobs run again, the oldest first.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] completed or failed  [3] how many at the most  [4] those that ended up to this
          time in ms, or '' for now  [5] '1' to give them all their attempts again
  Returns {how many, the time in ms up to which}: the caller calls again with that time, so that a job
          which ends meanwhile is not run again too
  Events  waiting
  Bound   ARGV[3]
]]
--- @include "keys"
--- @include "clock"
--- @include "retry"

local before = ARGV[4] == '' and now_ms() or tonumber(ARGV[4])
local ids = call('ZRANGEBYSCORE', K[ARGV[2]], '-inf', before, 'LIMIT', 0, ARGV[3])
if #ids > 0 then
  trim_events()
  call('ZREM', K[ARGV[2]], unpack(ids))
  for _, job_id in ipairs(ids) do
    if call('EXISTS', K.base .. job_id) == 1 then
      retry(job_id, ARGV[2], ARGV[5] == '1', false)
    end
  end
  wake()
end
return { #ids, before }
