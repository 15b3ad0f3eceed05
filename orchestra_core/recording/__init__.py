"""What is recorded of a running engine: the format of a recording, written and read; pure, no files, no clock."""
