"""The report of a run: its records as one page for people, and as Markdown, CSV and JSON."""
