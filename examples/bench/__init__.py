"""Benchmarks: ratios of figures measured side by side in one run, since absolute ones depend on the machine."""
