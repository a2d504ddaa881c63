-- Find a job's children, their children, and so on.
--- @include "keys"

-- The base and the id in a job's key. An id may contain ':', a queue's name may not; of keys with
-- another prefix only the last part can be taken for the id.
local function split_key(key, prefix)
  local head = prefix .. ':'
  if string.sub(key, 1, #head) == head then
    local colon = string.find(key, ':', #head + 1, true)
    if colon then
      return string.sub(key, 1, colon), string.sub(key, colon + 1)
    end
  end
  return string.match(key, '^(.*:)([^:]*)$')
end

-- Keys of a job's children: the pending ones, and the others too when asked.
local function children_of(key, finished_too)
  local found = call('SMEMBERS', key .. ':dependencies')
  if finished_too then
    for _, part in ipairs({
      call('HKEYS', key .. ':processed'), call('HKEYS', key .. ':failed'),
      call('ZRANGE', key .. ':unsuccessful', 0, -1),
    }) do
      for _, child in ipairs(part) do
        found[#found + 1] = child
      end
    end
  end
  return found
end

-- All keys below a job, each once, children behind their parents. `skip(key)` leaves out a job with
-- all that is below it.
local function descendants(key, finished_too, skip)
  local found, seen = {}, { [key] = true }
  local place = 0
  local parent = key
  while parent do
    for _, child in ipairs(children_of(parent, finished_too)) do
      if not seen[child] and not skip(child) then
        seen[child] = true
        found[#found + 1] = child
      end
    end
    place = place + 1
    parent = found[place]
  end
  return found
end
