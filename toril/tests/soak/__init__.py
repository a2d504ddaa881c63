"""Real processes and a real server under random faults, for as long as one likes: `make soak`."""
