"""The vocabulary every other part speaks; frozen values, no behaviour that needs a clock or a socket."""
