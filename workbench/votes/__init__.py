"""Blind votes: who meets whom, what was said, kept on disk, and what follows from all of them."""
