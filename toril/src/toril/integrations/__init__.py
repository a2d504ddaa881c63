"""toril in other frameworks: `integrations.starlette`, `integrations.django`; see docs/integrations.md."""
