"""Training: one engine, three ways (unconditional, targeted, cyclic)."""
