--[[ Make the next job of a scheduler, when its present one has been taken. Done once for each.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {id, when the job taken was due in ms, when the next one is or 0 for
          none, its options as JSON, priority, lifo, lock token to leave the job taken out, or ''}
  Returns 0 there was nothing to do, 1 the next job stands, 2 so, and the job taken is left out
  Events  added, delayed or waiting, removed
]]
--- @include "keys"
--- @include "clock"
--- @include "scheduler"

local id, due, next_run, opts, priority, lifo, token = unpack(cmsgpack.unpack(ARGV[2]))
if call('ZSCORE', K.schedulers, id) ~= ms(due) then
  return 0
end
local key = K.schedulers .. ':' .. id
local taken = job_at(id, due)
if next_run > 0 and call('EXISTS', K.base .. job_at(id, next_run)) == 0 then
  local hash = call('HMGET', key, 'name', 'data')
  call('HINCRBY', key, 'ic', 1)
  make(id, next_run, hash[1] or '', hash[2] or '{}', opts, priority, lifo, now_ms())
end
if token == '' or call('GET', K.base .. taken .. ':lock') ~= token then
  return next_run > 0 and 1 or 0
end
call('DEL', K.base .. taken .. ':lock')
call('SREM', K.stalled, taken)
call('LREM', K.active, -1, taken)
forget(taken, true)
call('XADD', K.events, '*', 'event', 'removed', 'jobId', taken, 'prev', 'active')
wake()
return 2
