"""What is loaded where: decided here, carried out by `background`. Pure: no clock, no I/O."""
