"""Jobs that failed for good: recorded, reviewed, replayed, told of."""
