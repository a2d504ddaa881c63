--[[ Read one job scheduler and the options of its newest job.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] scheduler's id
  Returns {now in ms, id, when its newest job is due in ms, {field, value, …}, that job's options or ''};
          only the first when there is no such scheduler
]]
--- @include "keys"
--- @include "clock"

local due = call('ZSCORE', K.schedulers, ARGV[2])
if not due then
  return { now_ms() }
end
local job = redis.pcall('HGET', K.base .. 'repeat:' .. ARGV[2] .. ':' .. due, 'opts')
return { now_ms(), ARGV[2], due, call('HGETALL', K.schedulers .. ':' .. ARGV[2]), type(job) == 'string' and job or '' }
