-- The queue's event stream: where it ends, and which of two places in it is the earlier one.

-- Returns the last event's id, how many events were ever written (nil where the server does not
-- count), and how many stand; nil when there is no stream.
local function stream_end()
  if call('EXISTS', K.events) == 0 then
    return nil
  end
  local flat, info = call('XINFO', 'STREAM', K.events), {}
  for i = 1, #flat, 2 do
    info[flat[i]] = flat[i + 1]
  end
  return info['last-generated-id'], info['entries-added'], info['length']
end

local function is_before(a, b)
  local a_ms, a_seq = string.match(a, '^(%d+)-(%d+)$')
  local b_ms, b_seq = string.match(b, '^(%d+)-(%d+)$')
  if a_ms == b_ms then
    return tonumber(a_seq) < tonumber(b_seq)
  end
  return tonumber(a_ms) < tonumber(b_ms)
end
