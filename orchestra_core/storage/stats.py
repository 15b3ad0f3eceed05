"""What a ledger says of itself."""

import msgspec


class LedgerStats(msgspec.Struct, frozen=True):
    """Requests since the engine started. `problem` is "" while all is well, else one line for people.

    `dropped` are lost. `behind` are bytes of the journal that are not in the database yet, `journal_bytes` those that
    the journal takes of the disk, at most `journal_limit`.
    """

    offered: int
    written: int
    pending: int
    duplicates: int
    rejected: int
    dropped: int
    commits: int
    problem: str
    behind: int = 0
    journal_bytes: int = 0
    journal_limit: int = 0
