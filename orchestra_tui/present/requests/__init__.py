"""Requests as people look at them: what runs, what has ended, and why one went where it went."""
