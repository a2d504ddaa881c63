--[[ Settle the jobs that have finished since the last call and fetch the next ones.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {wanted, token, lock ms, worker's name, {settlement, …}, minutes of
          metrics to keep or 0, own rate limit's max or 0, its ms}
  Returns {{code, …}, {id, {field, value, …}, …}, ms until a job may start or -1, now in ms}
  Codes   0 settled, -1 no such job, -2 no lock, -3 not active, -6 the lock is another's,
          -4 failed instead of completed, for children are pending, -9 for a child has failed,
          -10 failed instead of run again, for it was cancelled
  Events  completed, failed, retries-exhausted, delayed, waiting, waiting-children, active, drained; of a
          parent: waiting, delayed
  Bound   the settlements given, `wanted` jobs, 500 promotions, 1,000 removals by retention a set
]]
--- @include "keys"
--- @include "clock"
--- @include "settle"
--- @include "retain"
--- @include "metrics"
--- @include "fetch"

local args = cmsgpack.unpack(ARGV[2])
local wanted, settlements = args[1], args[5]
local now = now_ms()
local codes, limits = {}, {}

local meta, plain = read_meta(), false
if #settlements > 0 then
  trim_events(meta)
  plain = nothing_special(settlements)
  codes = settle_all(settlements, now, plain)
end
local ends = { completed = 0, failed = 0 }
local ages = {}
for i, s in ipairs(settlements) do
  local target = s[1] == COMPLETE and codes[i] == 0 and 'completed'
    or (s[1] == FAIL and codes[i] == 0 or codes[i] == -4 or codes[i] == -9 or codes[i] == -10) and 'failed'
  if target then
    ends[target] = ends[target] + 1
    -- A job that keeps nothing of itself says nothing of the others; one that has failed instead of
    -- completing has brought the limits of the completed ones.
    if codes[i] == 0 and s[6] ~= 0 and (s[6] > 0 or s[7] >= 0) then
      limits[target .. ' ' .. s[6] .. ' ' .. s[7]] = { target, s[6], s[7] }
      ages[target] = s[7] >= 0 and s[7] or ages[target]
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
  if count > 0 and args[6] > 0 then
    count_ends(target, count, args[6], now)
  end
end

local jobs, next_in = {}, -1
if wanted > 0 then
  jobs, next_in = fetch(wanted, args[2], args[3], args[4], now, meta, plain, args[7], args[8])
elseif #settlements > 0 and meta[2] then
  rouse() -- into the room that these have left
end
if #settlements > 0 and #jobs == 0 and call('EXISTS', K.wait, K.active, K.prioritized) == 0 then
  call('XADD', K.events, '*', 'event', 'drained')
end
return { codes, jobs, next_in, now }
