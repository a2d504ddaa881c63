--[[ Read the limits that all workers of the queue keep, and how much of them is used.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base
  Returns {concurrency or false, max or false, its ms or false, running jobs, jobs begun in the
          window that runs or false, ms until it ends (below 0: none)}
]]
--- @include "keys"

local meta = call('HMGET', K.meta, 'concurrency', 'max', 'duration')
return { meta[1], meta[2], meta[3], call('LLEN', K.active), call('GET', K.limiter), call('PTTL', K.limiter) }
