--[[ Write an event of the caller's own into the queue's stream.
  KEYS    the queue's keys, see include/keys.lua
  ARGV    [1] base  [2…] field, value, …, of which the first is `event`
  Returns the event's id
  Events  the one given
]]
--- @include "keys"
--- @include "queue_state"

return call('XADD', K.events, 'MAXLEN', '~', max_events(), '*', unpack(ARGV, 2))
