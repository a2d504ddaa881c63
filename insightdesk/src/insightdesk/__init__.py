"""The background side of a helpdesk, built on toril."""
