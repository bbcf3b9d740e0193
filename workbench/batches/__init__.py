"""Many pictures through several pipelines, in a folder each that outlives the app."""
