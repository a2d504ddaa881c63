-- The ids of a page of one state, the newest (or last to run) first, or the oldest (or next) first.
--- @include "keys"

local function page_of(state, first, last, ascending)
  local key = K[state]
  if state ~= 'wait' and state ~= 'active' then
    return call(ascending and 'ZRANGE' or 'ZREVRANGE', key, first, last)
  end
  if not ascending then
    return call('LRANGE', key, first, last)
  end
  local page, ids = call('LRANGE', key, -(last + 1), -(first + 1)), {}
  for i = #page, 1, -1 do
    ids[#ids + 1] = page[i]
  end
  return ids
end
