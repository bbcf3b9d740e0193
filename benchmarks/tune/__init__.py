"""Tuning at no inference: a network runs once, and everything after it is searched on its evidence."""
