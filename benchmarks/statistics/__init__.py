"""How sure a figure is, a difference, and a ranking."""
