"""The server-rendered page of the helpdesk."""
