"""Datasets of visitors: profiled and benchmarked by the commands of ``benchmarks``, within limits."""
