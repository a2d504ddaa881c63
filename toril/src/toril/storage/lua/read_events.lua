--[[ Read the events behind a cursor, and tell whether some of them are gone.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] id of the event to read behind, or '$' for the last one  [3] how many at most
          [4] that event's number: how many had been written with it; -1 if not known
          [5] '1' to return only those that tell of the ends of jobs: completed, failed, removed, cleaned
  Returns {1 if events may be gone, id to go on behind, its number or -1, {{id, {field, value, …}}, …}}
  Bound   ARGV[3]
]]
--- @include "keys"
--- @include "event_stream"

local cursor, count, number = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local last, written, length = stream_end()
if not last then
  return { (cursor == '0-0' or cursor == '$') and 0 or 1, '0-0', 0, {} }
end
-- A stream of the same millisecond may have the same ids, but not as many events.
local anew = cursor ~= '$' and (is_before(last, cursor) or number >= 0 and written
  and (number > written or cursor == last and number ~= written))
if not anew and (cursor == '$' or cursor == last) then
  return { 0, last, written or -1, {} }
end
if anew then
  cursor, number = '0-0', -1
end

local reply = call('XREAD', 'COUNT', count, 'STREAMS', K.events, cursor)
local entries = reply and reply[1][2] or {}
local missed
if not anew and #call('XRANGE', K.events, cursor, cursor) == 1 then
  -- Events go from the oldest on: while this one stands, so do all behind it.
  missed = false
  if number >= 0 then
    number = number + #entries
  elseif #entries < count then
    number = written or -1
  end
else
  local first = written and written - length + 1
  missed = anew or first ~= number + 1
  if not first then
    missed = anew or cursor ~= '0-0'
  end
  number = first and first + #entries - 1 or -1
end
local place = #entries > 0 and entries[#entries][1] or last
if ARGV[5] == '1' then
  local ends = {}
  for _, entry in ipairs(entries) do
    -- All clients write the type first.
    local kind = entry[2][1] == 'event' and entry[2][2]
    if kind == 'completed' or kind == 'failed' or kind == 'removed' or kind == 'cleaned' then
      ends[#ends + 1] = entry
    end
  end
  entries = ends
end
return { missed and 1 or 0, place, number, entries }
