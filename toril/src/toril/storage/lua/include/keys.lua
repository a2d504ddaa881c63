-- Names for the keys that every script of a queue is given, in the order of Keys.all.
-- ARGV[1] is the base of the queue's job keys, `<prefix>:<queue>:`.
local call = redis.call
local K = {
  wait = KEYS[1], active = KEYS[2], prioritized = KEYS[3], delayed = KEYS[4],
  completed = KEYS[5], failed = KEYS[6], events = KEYS[7], meta = KEYS[8],
  marker = KEYS[9], pc = KEYS[10], id = KEYS[11], stalled = KEYS[12],
  stalled_check = KEYS[13], schedulers = KEYS[14], limiter = KEYS[15], paused = KEYS[16],
  waiting_children = KEYS[17], retention = KEYS[18],
  cancels = KEYS[19], base = ARGV[1],
}
