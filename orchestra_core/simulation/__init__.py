"""The simulated fleet: one pure service-time model, and servers that speak real wire formats from it.

Nothing here runs a model. Every answer, owner and version says "simulated".
"""
