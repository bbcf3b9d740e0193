"""How time, throughput and memory are measured, and what came of it."""
