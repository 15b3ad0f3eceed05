"""Wire formats, one module or package each, both directions, no I/O. They do not know each other."""
