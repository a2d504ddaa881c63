"""Organizations, users, roles, tokens and login."""
