"""What recording costs, and how fast a large ledger answers."""
