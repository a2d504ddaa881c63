--[[ Settle the jobs that have finished since the last call and fetch the next ones.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {wanted, token, lock ms, worker's name, {id, …}, {text, …}, {number of its
          shape, …}, {shape, …}, minutes of metrics to keep or 0, own rate limit's max or 0, its ms};
          of the jobs that have ended, see include/settle.lua
  Returns {{code, …}, {id, {field, value, …}, …}, ms until a job may start or -1, now in ms}
  Codes   0 settled, -1 no such job, -2 no lock, -3 not active, -6 the lock is another's,
          -4 failed instead of completed, for children are pending, -9 for a child has failed,
          -10 failed instead of run again, for it was cancelled
  Events  completed, failed, retries-exhausted, delayed, waiting, waiting-children, active, drained; of a
          parent: waiting, delayed
  Bound   the settlements given, `wanted` jobs, promotions for 1.5 ms (300 on Redis 6.2), 1,000 removals by
          retention a set
]]
--- @include "keys"
--- @include "clock"
--- @include "settle"
--- @include "retain"
--- @include "metrics"
--- @include "fetch"

local args = cmsgpack.unpack(ARGV[2])
local wanted, ended_ids, shapes = args[1], args[5], args[7]
for i, number in ipairs(shapes) do
  shapes[i] = args[8][number]
end
local now = now_ms()
local codes, limits = {}, {}

local meta, plain = read_meta(), false
if #ended_ids > 0 then
  trim_events(meta)
  codes, plain = settle_all(ended_ids, args[6], shapes, now)
end
local ends = { completed = 0, failed = 0 }
local ages = {}
for i, shape in ipairs(shapes) do
  local kind, code, count, age = shape[1], codes[i], shape[4], shape[5]
  local target = kind == COMPLETE and code == 0 and 'completed'
    or (kind == FAIL and code == 0 or code == -4 or code == -9 or code == -10) and 'failed'
  if target then
    ends[target] = ends[target] + 1
    -- A job that keeps nothing of itself says nothing of the others; one that has failed instead of
    -- completing has brought the limits of the completed ones.
    if code == 0 and count ~= 0 and (count > 0 or age >= 0) then
      limits[shape] = { target, count, age }
      ages[target] = age >= 0 and age or ages[target]
    end
  end
end
for _, limit in pairs(limits) do
  retain(K[limit[1]], now, limit[2], limit[3])
end
-- An idle queue has no ends: a worker's retention service goes by the last one.
for target, age in pairs(ages) do
  call('HSET', K.retention, target, age)
end
for target, count in pairs(ends) do
  if count > 0 and args[9] > 0 then
    count_ends(target, count, args[9], now)
  end
end

local jobs, next_in = {}, -1
if wanted > 0 then
  jobs, next_in = fetch(wanted, args[2], args[3], args[4], now, meta, plain, args[10], args[11])
elseif #ended_ids > 0 and meta[2] then
  rouse() -- into the room that these have left
end
if #ended_ids > 0 and #jobs == 0 and call('EXISTS', K.wait, K.active, K.prioritized) == 0 then
  call('XADD', K.events, '*', 'event', 'drained')
end
return { codes, jobs, next_in, now }
