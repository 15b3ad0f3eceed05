"""`incident`: what an engine, alive or dead, can tell of the last minutes, in one file."""
