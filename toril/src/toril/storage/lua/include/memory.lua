-- When memory is short the server refuses the first write of a script if it may need more, and lets all
-- writes after the first pass: what adds asks first, what workers need goes through.

local function refuse_when_full()
  call('SETRANGE', K.id, 0, '')
end

local function go_on_when_full()
  call('SREM', K.stalled, '')
end
