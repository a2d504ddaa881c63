"""toril and its peers on the same work, one command, one table."""
