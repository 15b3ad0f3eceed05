"""What can go wrong with the ledger's database, said so that an operator knows what to do.

StoreError
├── RowFault             these values can never be stored: trying again would fail for ever
├── StoreUnavailable     locked, full, gone, not answering: what is to be written waits and is tried again
│   └── StoreEmpty       nothing was ever written to it
└── StoreUnusable        newer than this program, another program's, wrongly configured: a person must act
    └── StoreDamaged     it was ours, and cannot be read any more
"""

from orchestra_core.domain.errors import OrchestraError


class StoreError(OrchestraError):
    """The ledger's database did not do what it was asked; nothing of that was written."""

    code = "ledger_unusable"


class RowFault(StoreError):
    """The fault of the values (wrong type, lone surrogate, integer over 64 bits), not of the database."""


class StoreUnavailable(StoreError):
    """May be well again at the next try."""


class StoreUnusable(StoreError):
    """Stays as it is until a person changes the database or the configuration; it was not touched."""


class StoreEmpty(StoreUnavailable):
    """Its tables are not there (yet): nothing was ever written."""


class StoreDamaged(StoreUnusable):
    """It is never written to or removed. Until a person moves it away, requests are kept elsewhere."""
