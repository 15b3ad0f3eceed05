"""`make fast`: the hot path compiled for one environment. Not part of the package: it works without."""
