"""Our code against named peers, interleaved in one process, as ratios. ``python -m benchmarks.peers``."""
