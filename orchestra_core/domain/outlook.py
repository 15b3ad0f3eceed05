"""What a plan comes to, in one word: everybody who shows plans says the same of them."""

from enum import StrEnum

from orchestra_core.domain.result import Plan


class Outlook(StrEnum):
    """It fits as things are; idle models go first; something must end first; it is not done; nobody knows."""

    FITS = "fits"
    EVICTS = "evicts"
    WAITS = "waits"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def outlook(plan: Plan) -> Outlook:
    """`plan.reason` has the words of a refusal, and of what is waited for."""
    if plan.fits is False:
        return Outlook.REFUSED
    if plan.waits_for or plan.code:
        return Outlook.WAITS
    if plan.evicts:
        return Outlook.EVICTS
    return Outlook.UNKNOWN if plan.fits is None else Outlook.FITS
