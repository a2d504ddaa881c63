"""What is to be done and has no job any more, because the queue's server lost what it had."""
