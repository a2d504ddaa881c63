-- Take away what belongs to a job beside its place in a set or list.

local function forget_keys(job_id)
  local key = K.base .. job_id
  return call('DEL', key, key .. ':logs', key .. ':dependencies', key .. ':processed', key .. ':failed',
    key .. ':unsuccessful')
end

-- Free a deduplication key that this job holds. One with a time to live keeps it (throttle mode).
local function release_deduplication(dedup_id, job_id, also_with_ttl)
  if not dedup_id then
    return
  end
  local key = K.base .. 'de:' .. dedup_id
  if call('GET', key) == job_id and (also_with_ttl or call('PTTL', key) == -1) then
    call('DEL', key)
  end
end

-- Remove a job of which nothing is to be kept.
local function forget(job_id)
  release_deduplication(call('HGET', K.base .. job_id, 'deid'), job_id, true)
  return forget_keys(job_id)
end
