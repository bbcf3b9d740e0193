"""The tabs of the app, a module each, and what happens in them."""
