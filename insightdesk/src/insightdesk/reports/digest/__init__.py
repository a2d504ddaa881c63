"""The daily digest: what the last day brought, for each agent who wants it."""
