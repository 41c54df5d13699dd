"""Training: one engine, three schemes (unconditional, targeted, cyclic)."""
