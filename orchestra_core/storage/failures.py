"""What can go wrong with the ledger's file, said so that an operator knows what to do."""

import sqlite3

from orchestra_core.domain.errors import OrchestraError

# Values SQLite cannot store (wrong type, lone surrogate, integer over 64 bits): the row's fault, not the
# file's, so trying again would fail for ever.
ROW_FAULTS = (
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    sqlite3.DataError,
    ValueError,
    OverflowError,
    TypeError,
)


class LedgerError(OrchestraError):
    """The ledger cannot be used as configured; nothing was written."""

    code = "ledger_unusable"


def explain(path: str, error: sqlite3.Error | OSError) -> str:
    """One line for people: what failed on which file, and that rows are kept meanwhile."""
    return f"ledger {path}: {error}; rows are kept in memory and tried again"
