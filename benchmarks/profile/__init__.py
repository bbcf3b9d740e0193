"""The profile of a dataset: what its pictures and masks are like, what is suspect in it, and what that means."""
