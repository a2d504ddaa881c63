--[[ Make the job of a scheduler that has lost its newest one.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {id, when the lost job was due in ms, when the new one is, its options as
          JSON, priority, lifo}
  Returns 1, or 0 when the scheduler is gone, has gone on, or that instant has been
  Events  added, delayed or waiting
]]
--- @include "keys"
--- @include "clock"
--- @include "scheduler"

local id, due, at, opts, priority, lifo = unpack(cmsgpack.unpack(ARGV[2]))
local key = K.schedulers .. ':' .. id
if call('ZSCORE', K.schedulers, id) ~= ms(due) or is_alive(job_at(id, due)) then
  return 0
end
if at == due then
  local lost = job_at(id, due)
  take_away(lost)
  forget_keys(lost)
elseif call('EXISTS', K.base .. job_at(id, at)) == 1 then
  return 0
else
  call('HINCRBY', key, 'ic', 1)
end
local hash = call('HMGET', key, 'name', 'data')
make(id, at, hash[1] or '', hash[2] or '{}', opts, priority, lifo, now_ms())
return 1
