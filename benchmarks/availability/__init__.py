"""Availability under one stated mix of faults, over real sockets; see benchmarks/README.md."""
