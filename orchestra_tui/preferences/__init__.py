"""What a user wants of the console: the settings file, the keys, and what is remembered from one run to the next."""
