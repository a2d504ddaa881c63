"""What only an administrator may see, and the probes."""
