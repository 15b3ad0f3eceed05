"""Snapshot to text: pure functions, no terminal, no clock."""
