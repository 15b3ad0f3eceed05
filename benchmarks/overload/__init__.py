"""What is left of the goodput when ten times as much is offered as can be served; see benchmarks/README.md."""
