"""[Alerts]: rules over the picture of the engine, and one state machine for each thing they watch."""
