-- Put before a script whose queue is on a moved clock, see storage/clock.py. TIME is shifted by the
-- queue's offset. Each event that is written is counted, so that a client which has changed the queue
-- without this is noticed by the next one: its times would be others.
local redis = (function()
  local raw = redis
  local clock = ARGV[1] .. 'toril:clock'
  local state = raw.call('HMGET', clock, 'offset', 'events')
  local offset = tonumber(state[1] or 0)

  local function written(events)
    if raw.call('EXISTS', events) == 0 then
      return 0
    end
    local info = raw.call('XINFO', 'STREAM', events)
    for i = 1, #info, 2 do
      if info[i] == 'entries-added' then
        return info[i + 1]
      end
    end
  end

  local found = written(ARGV[1] .. 'events')
  if state[1] and found and found ~= tonumber(state[2]) then
    error(raw.error_reply('CLOCKMIXED queue ' .. ARGV[1] .. ' was changed by a client that does not follow its moved clock'))
  end

  local function shifted()
    local time = raw.call('TIME')
    local micros = time[1] * 1000000 + time[2] + offset * 1000
    return { string.format('%.0f', math.floor(micros / 1000000)), string.format('%.0f', micros % 1000000) }
  end

  local function count(command, keys)
    for _, key in ipairs(keys) do
      local base = type(key) == 'string' and string.match(key, '^(.*:)events$')
      if base and raw.call('EXISTS', base .. 'toril:clock') == 1 then
        if command == 'XADD' then
          raw.call('HINCRBY', base .. 'toril:clock', 'events', 1)
        else
          raw.call('HSET', base .. 'toril:clock', 'events', 0)
        end
      end
    end
  end

  local function through(run)
    return function(command, ...)
      if command == 'TIME' then
        return shifted()
      end
      local reply = run(command, ...)
      if command == 'XADD' then
        count(command, { (...) })
      elseif command == 'DEL' or command == 'UNLINK' then
        count(command, { ... })
      end
      return reply
    end
  end

  return setmetatable({ call = through(raw.call), pcall = through(raw.pcall) }, { __index = raw })
end)()
