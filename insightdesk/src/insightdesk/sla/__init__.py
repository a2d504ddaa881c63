"""Service-level policies, clocks and breaches."""
