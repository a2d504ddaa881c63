--[[ Make the next job of a scheduler, when its present one has been taken. Done once for each.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {id, id of the job taken, next run in ms (cron), job's options as JSON,
          priority}
  Returns the id of the next job, or false when there is nothing to do
  Events  added, delayed or waiting
]]
--- @include "keys"
--- @include "clock"
--- @include "store"

local id, taken, next_run, opts, priority = unpack(cmsgpack.unpack(ARGV[2]))
local now = now_ms()
local key = K.schedulers .. ':' .. id
local before = call('ZSCORE', K.schedulers, id)
if not before or taken ~= 'repeat:' .. id .. ':' .. string.format('%.0f', tonumber(before)) then
  return false
end
before = tonumber(before)
local hash = call('HMGET', key, 'name', 'data', 'every')
local every = tonumber(hash[3] or 0)
if every > 0 then
  next_run = before + every
  if next_run < now then
    -- Runs that were missed are left out; the rhythm stays.
    next_run = before + (math.floor((now - before) / every) + 1) * every
  end
end
next_run = math.max(next_run, before + 1)
local job_id = 'repeat:' .. id .. ':' .. string.format('%.0f', next_run)
call('ZADD', K.schedulers, next_run, id)
call('HINCRBY', key, 'ic', 1)
if call('EXISTS', K.base .. job_id) == 0 then
  call('INCR', K.id)
  store(job_id, hash[1], hash[2] or '{}', opts, now, math.max(0, next_run - now), priority, false, { 'rjk', id })
  if next_run <= now then
    wake()
  end
end
return job_id
