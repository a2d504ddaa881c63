--[[ Make or change a job scheduler, and its next job. An unchanged one is left as it is, so that
     many processes may declare the same at once.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {id, next run in ms (cron), interval ms or 0, offset ms, priority,
          fields {field, value, …} of the scheduler's hash, data as JSON, job's options as JSON}
  Returns {id of the next job, its time in ms, 1 if anything changed}
  Events  removed, added, delayed or waiting
]]
--- @include "keys"
--- @include "clock"
--- @include "store"
--- @include "forget"

local id, next_run, every, offset, priority, fields, data, opts = unpack(cmsgpack.unpack(ARGV[2]))
local now = now_ms()
local key = K.schedulers .. ':' .. id
local before = call('ZSCORE', K.schedulers, id)
before = before and tonumber(before)

local function job_at(ms)
  return 'repeat:' .. id .. ':' .. string.format('%.0f', ms)
end

local function unchanged()
  local names, values = {}, {}
  for i = 1, #fields, 2 do
    names[#names + 1] = fields[i]
    values[#values + 1] = fields[i + 1]
  end
  local found = call('HMGET', key, unpack(names))
  for i, value in ipairs(values) do
    if found[i] ~= value then
      return false
    end
  end
  return call('HLEN', key) == #names + 1
end

if before and call('EXISTS', K.base .. job_at(before)) == 1 and unchanged() then
  return { job_at(before), before, 0 }
end

if before then
  local old = job_at(before)
  local gone = call('ZREM', K.delayed, old) + call('ZREM', K.prioritized, old) + call('LREM', K.wait, 1, old)
  if gone > 0 then
    forget(old, true)
    call('XADD', K.events, '*', 'event', 'removed', 'jobId', old, 'prev', 'delayed')
  end
end

if every > 0 then
  next_run = now
  if offset > 0 then
    next_run = math.floor(now / every) * every + offset
    if next_run <= now then
      next_run = next_run + every
    end
  end
end
-- A finished job of the same instant may still be kept under the id.
local step = every > 0 and every or 1
while call('EXISTS', K.base .. job_at(next_run)) == 1 do
  next_run = next_run + step
end

local made = call('HGET', key, 'ic') or 1
call('DEL', key)
call('HSET', key, 'ic', made, unpack(fields))
call('ZADD', K.schedulers, next_run, id)
call('INCR', K.id)
store(job_at(next_run), fields[2], data, opts, now, math.max(0, next_run - now), priority, false, { 'rjk', id })
if next_run <= now then
  wake()
end
return { job_at(next_run), next_run, 1 }
