"""What is asked of an engine, one module for each subject."""
