-- How many jobs each state has, in the order of STATES in storage/bulk.py.
--- @include "keys"

local function count_states()
  return {
    call('LLEN', K.wait), call('LLEN', K.active), call('LLEN', K.paused),
    call('ZCARD', K.delayed), call('ZCARD', K.prioritized), call('ZCARD', K.completed),
    call('ZCARD', K.failed), call('ZCARD', K.waiting_children),
  }
end
