"""How long things are kept, what becomes of old tickets, and the erasure of a person."""
