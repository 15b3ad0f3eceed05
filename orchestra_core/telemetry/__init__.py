"""What was measured: learned speeds and reliability, sliding windows, counters and their export."""
