"""The app: shows what pipelines find and what benchmarks measured, and owns no logic of its own."""
