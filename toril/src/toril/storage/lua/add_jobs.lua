--[[ Add jobs, all of them or none.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2] msgpack {{own id or '', …} or {}, {data, …}, {number of its shape, …}, {shape, …}};
          a shape is {name, options as JSON, delay ms, priority, lifo, deduplication id or '',
          deduplication ms or 0, deduplication flags, see include/deduplicate.lua}
  Returns {now in ms, what the counter of ids was before, and of each job that was not created: its place,
          id, status}; the counter gives a number for each job, also for those with an id of their own
  Codes   1 the id stands already, 2 deduplicated by that job
  Events  added, waiting, delayed, duplicated, deduplicated, removed
  Bound   the jobs given
]]
--- @include "keys"
--- @include "clock"
--- @include "store"
--- @include "deduplicate"

local args = cmsgpack.unpack(ARGV[2])
local own_ids, datas, numbers, shapes = args[1], args[2], args[3], args[4]
local now = now_ms()
local counter = call('INCRBY', K.id, #datas) - #datas
local answer = { now, counter }
local waiting, together = false, {}

trim_events()
for i, data in ipairs(datas) do
  local shape, own = shapes[numbers[i]], own_ids[i] or ''
  local job_id = own == '' and string.format('%.0f', counter + i) or own
  local delay, dedup_id, status = shape[3], shape[6], 0
  if own ~= '' and call('EXISTS', K.base .. job_id) == 1 then
    status = 1
    call('XADD', K.events, '*', 'event', 'duplicated', 'jobId', job_id)
  elseif dedup_id ~= '' then
    local holder = deduplicate(shape, data, job_id, now)
    if holder then
      status = 2
      job_id = holder
    end
  end
  if status == 0 then
    local extra = dedup_id ~= '' and { 'deid', dedup_id } or nil
    store(job_id, shape[1], data, shape[2], now, delay, shape[4], shape[5], extra, together)
    waiting = waiting or delay == 0
  else
    local n = #answer
    answer[n + 1], answer[n + 2], answer[n + 3] = i, job_id, status
  end
end
if #together > 0 then
  call('LPUSH', K.wait, unpack(together))
end
if waiting then
  wake()
end
return answer
