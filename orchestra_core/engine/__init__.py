"""The composition root: builds the whole engine in the order of the diagram, runs it, stops it.

`build` wires the request side, `members` the backends, `demo` the simulated fleet, `run` the process.
Nothing else constructs collaborators.
"""

from orchestra_core.engine.run import run

__all__ = ["run"]
