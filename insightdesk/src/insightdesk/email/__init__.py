"""Mail: what is said, to whom, and proof that it was said once."""
