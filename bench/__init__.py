"""Measured comparisons: one command each (`python -m bench.rate`), figures in `bench/README.md`. Loopback only."""
