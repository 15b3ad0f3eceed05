"""Who may ask what, from where, how often, and what may be said of it: rules only, no I/O and no clock."""
