--[[ Count the jobs of each state.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base
  Returns {waiting, active, paused, delayed, prioritized, completed, failed, waiting-children}
]]
--- @include "keys"

return {
  call('LLEN', K.wait), call('LLEN', K.active), call('LLEN', K.paused),
  call('ZCARD', K.delayed), call('ZCARD', K.prioritized), call('ZCARD', K.completed),
  call('ZCARD', K.failed), call('ZCARD', K.waiting_children),
}
