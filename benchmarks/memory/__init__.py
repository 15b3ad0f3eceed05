"""Swapping more models than there is memory for, simulated and over real sockets; see benchmarks/README.md."""
