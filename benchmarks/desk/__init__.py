"""A large desk, and what the helpdesk's jobs cost on it."""
