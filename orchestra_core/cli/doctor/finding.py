"""What a check has to say."""

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """`status` is ok, warn or fail; `fix` is what to do about it, empty when there is nothing to do."""

    name: str
    status: str
    detail: str
    fix: str = ""


def ok(name: str, detail: str) -> Finding:
    return Finding(name, "ok", detail)


def warn(name: str, detail: str, fix: str) -> Finding:
    return Finding(name, "warn", detail, fix)


def fail(name: str, detail: str, fix: str) -> Finding:
    return Finding(name, "fail", detail, fix)
