"""One module per surface: bytes in, `Call` on; answer back in the surface's own dialect."""
