"""Runs at a time of each organization's own zone, each once a local day."""
