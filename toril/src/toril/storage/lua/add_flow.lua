--[[ Add jobs that depend on each other, over any number of queues: all of them or none.
  KEYS    the keys of the first job's queue, see include/keys.lua
  ARGV    [1] base  [2] msgpack {{base of its queue, own id or '', name, data, options as JSON, delay ms,
          priority, lifo, what its failure does to its parent (fpof, cpof, idof, rdof or ''),
          1 if it has children, its parent's place in this list or 0, else its parent's queue
          `prefix:name` or '', and its parent's id}, …}, parents before their children
  Returns {id, status, …}: status 0 created, 1 the id stands already; and last now in ms
          or, with nothing done, {-5 no such parent or -7 the id is another parent's child, place in the list}
  Events  added, waiting, delayed, waiting-children, duplicated
  Bound   the jobs given
]]
--- @include "keys"
--- @include "clock"
--- @include "store"
--- @include "elsewhere"
--- @include "family"
--- @include "memory"

local jobs = cmsgpack.unpack(ARGV[2])
local now = now_ms()
local ids, answer, queues = {}, {}, {}

-- The parent's queue (`prefix:name`) and id; nil when it has none.
local function parent_of(job)
  if job[11] > 0 then
    return string.sub(jobs[job[11]][1], 1, -2), ids[job[11]]
  elseif job[12] ~= '' then
    return job[12], job[13]
  end
end

-- Whether a job may become the child of its parent: it may stand already, even as that child.
local function refusal(job)
  if job[12] ~= '' and call('EXISTS', job[12] .. ':' .. job[13]) == 0 then
    return -5
  end
  if job[2] == '' or (job[11] == 0 and job[12] == '') then
    return nil
  end
  local present = parent_in(call('HGET', job[1] .. job[2], 'parent'))
  if not present or call('EXISTS', present.key) == 0 then
    return nil
  end
  local wanted = job[12] ~= '' and job[12] .. ':' .. job[13] or jobs[job[11]][1] .. jobs[job[11]][2]
  return present.key ~= wanted and -7 or nil
end

for i, job in ipairs(jobs) do
  local code = refusal(job)
  if code then
    return { code, i }
  end
end

local function attach(job_id, queue_key, parent_id)
  local child, parent = K.base .. job_id, queue_key .. ':' .. parent_id
  if call('ZSCORE', K.completed, job_id) then
    call('HSET', parent .. ':processed', child, call('HGET', child, 'returnvalue') or 'null')
  else
    call('SADD', parent .. ':dependencies', child)
  end
end

-- Runs in the job's queue.
local function add(i, job)
  if not queues[K.base] then
    trim_events()
    queues[K.base] = true
  end
  local job_id = job[2]
  local present = job_id ~= '' and call('EXISTS', K.base .. job_id) == 1
  if not present then
    local counted = call('INCR', K.id)
    job_id = job_id == '' and string.format('%.0f', counted) or job_id
  end
  ids[i] = job_id
  answer[2 * i - 1] = job_id
  answer[2 * i] = present and 1 or 0
  local queue_key, parent_id = parent_of(job)
  local opts, kin = job[5], nil
  if queue_key then
    local parent = { id = parent_id, queueKey = queue_key }
    if job[9] ~= '' then
      parent[job[9]] = true
    end
    kin = { 'parentKey', queue_key .. ':' .. parent_id, 'parent', cjson.encode(parent) }
    opts = '{"parent":' .. cjson.encode({ id = parent_id, queue = queue_key }) .. ',' .. string.sub(opts, 2)
  end
  if present then
    call('XADD', K.events, '*', 'event', 'duplicated', 'jobId', job_id)
    if kin then
      call('HSET', K.base .. job_id, unpack(kin))
    end
  else
    write(job_id, job[3], job[4], opts, now, job[6], job[7], kin)
    if job[10] == 1 then
      call('ZADD', K.waiting_children, now, job_id)
      call('XADD', K.events, '*', 'event', 'waiting-children', 'jobId', job_id)
    else
      place_new(job_id, now, job[6], job[7], job[8])
      if job[6] == 0 then
        wake()
      end
    end
  end
  if queue_key then
    attach(job_id, queue_key, parent_id)
  end
end

refuse_when_full()
for i, job in ipairs(jobs) do
  elsewhere(job[1], add, i, job)
end
-- Parents whose children had all completed before wait for nothing; the deepest ones first.
for i = #jobs, 1, -1 do
  if jobs[i][10] == 1 then
    release_when_none_is_pending({ base = jobs[i][1], id = ids[i], key = jobs[i][1] .. ids[i] })
  end
end
if jobs[1][12] ~= '' then
  release_when_none_is_pending({ base = jobs[1][12] .. ':', id = jobs[1][13], key = jobs[1][12] .. ':' .. jobs[1][13] })
end
answer[#answer + 1] = now
return answer
