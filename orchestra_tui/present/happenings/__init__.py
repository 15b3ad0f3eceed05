"""What happened: events of the engine and actions of operators, in one order of time."""
