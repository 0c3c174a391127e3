"""What the benchmarks share; each module is one subject."""
