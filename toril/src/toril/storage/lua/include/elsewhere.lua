-- Work in another queue of the same server: a flow's jobs may be spread over several.
--- @include "keys"

local function keys_at(base)
  return {
    wait = base .. 'wait', active = base .. 'active', prioritized = base .. 'prioritized',
    delayed = base .. 'delayed', completed = base .. 'completed', failed = base .. 'failed',
    events = base .. 'events', meta = base .. 'meta', marker = base .. 'marker', pc = base .. 'pc',
    id = base .. 'id', stalled = base .. 'stalled', stalled_check = base .. 'stalled-check',
    schedulers = base .. 'repeat', limiter = base .. 'limiter', paused = base .. 'paused',
    waiting_children = base .. 'waiting-children', retention = base .. 'toril:retention', cancels = base .. 'toril:cancels', base = base,
  }
end

-- Call `act` while K names the keys of the queue at `base`. On Cluster it must share the hash tag.
local function elsewhere(base, act, ...)
  local here = K
  if base ~= here.base then
    K = keys_at(base)
  end
  local result = act(...)
  K = here
  return result
end
