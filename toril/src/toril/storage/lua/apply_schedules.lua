--[[ Put the schedules that an app declares for a queue in place of those that it declared before.
     Schedulers that were made by hand, or belong to other apps, stay.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {owner, release, {scheduler, …}}, see `upsert` in include/scheduler.lua
  Returns {-1, the newer release} when a newer release of the app has been here, and nothing is done; or
          {how many were made or changed, {removed id, …}, {id taken over, its owner before, …}}
  Events  removed, added, delayed or waiting
  Bound   the schedules declared, now and before
  What is as it was is not written, so that a worker whose schedules are there starts without memory.
]]
--- @include "keys"
--- @include "clock"
--- @include "scheduler"

local owner, release, schedules = unpack(cmsgpack.unpack(ARGV[2]))
local owners, releases = K.base .. 'toril:schedules', K.base .. 'toril:schedules:releases'
local newest = tonumber(call('HGET', releases, owner) or 0)
if newest > release then
  return { -1, newest }
end
if release > newest then
  call('HSET', releases, owner, ms(release))
end

-- The owner that a scheduler's own hash names: one that was made anew by hand has none.
local function owner_of(id)
  local own = call('HGET', K.schedulers .. ':' .. id, 'toril')
  local readable, value = pcall(cjson.decode, own or '')
  return readable and type(value) == 'table' and value.owner or nil
end

local now = now_ms()
local changed, removed, taken, declared = 0, {}, {}, {}
for _, s in ipairs(schedules) do
  declared[s.id] = true
  local before = owner_of(s.id)
  if before and before ~= owner then
    taken[#taken + 1] = s.id
    taken[#taken + 1] = before
  end
  if upsert(s, now) then
    changed = changed + 1
  end
  if call('HGET', owners, s.id) ~= owner then
    call('HSET', owners, s.id, owner)
  end
end
local known = call('HGETALL', owners)
for i = 1, #known, 2 do
  local id = known[i]
  if known[i + 1] == owner and not declared[id] then
    if owner_of(id) == owner and remove_scheduler(id) then
      removed[#removed + 1] = id
    end
    call('HDEL', owners, id)
  end
end
return { changed, removed, taken }
