-- What the queue's meta hash says of it.

local function read_meta()
  return call('HMGET', K.meta, 'paused', 'concurrency', 'max', 'duration', 'opts.maxLenEvents')
end

-- Returns paused (bool), how many more jobs may be active (or nil), rate limit max and its ms.
local function queue_state(meta)
  local room = nil
  if meta[2] then
    room = math.max(0, tonumber(meta[2]) - call('LLEN', K.active))
  end
  return meta[1] ~= false, room, tonumber(meta[3]), tonumber(meta[4])
end

-- How many events the stream keeps, about; BullMQ's default is written where none stands.
local function max_events(meta)
  local found = meta and meta[5] or call('HGET', K.meta, 'opts.maxLenEvents')
  if not found then
    found = 10000
    call('HSET', K.meta, 'opts.maxLenEvents', found)
  end
  return found
end

local function trim_events(meta)
  call('XTRIM', K.events, 'MAXLEN', '~', max_events(meta))
end

-- Wake one idle worker, unless the queue may not start jobs now.
local function wake()
  local paused, room = queue_state(read_meta())
  if not paused and room ~= 0 then
    call('ZADD', K.marker, 0, '0')
  end
end
