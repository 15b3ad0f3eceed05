"""What can be said on the command line beyond the names of views and actions: verbs that take words."""
