"""Measures the gateway beside others on one machine; see benchmarks/README.md."""
