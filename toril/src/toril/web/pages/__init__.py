"""The pages, one a module: what each reads, and which template shows it."""
