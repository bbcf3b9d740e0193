"""What to ship."""
