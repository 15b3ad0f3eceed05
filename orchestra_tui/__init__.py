"""The terminal console: a client of the engine's API, nothing more."""
