"""The console measured through a pty: bytes, CPU, the longest hold of its loop, and how soon a key is seen."""
