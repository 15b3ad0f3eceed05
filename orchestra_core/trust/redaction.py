"""What looks like a secret, made recognisable and useless: `sk-…4f2a`.

Secrets that we know are wrapped in a type of their own and never get here. This is for words of others: a
backend that repeats the key it refused, an exception that quotes a URL.
"""

import re
from collections.abc import Collection, Sequence

_SHAPES = re.compile(
    r"""(?P<scheme>(?<![\w.])(?:bearer|basic)\s+)(?P<token>[A-Za-z0-9._~+/=-]{8,})"""
    r"""|(?P<prefix>(?<![A-Za-z0-9])(?:ork|sk|pk|rk|gsk|hf|xai|r8|nvapi|pplx)[-_])(?P<key>[A-Za-z0-9_*.-]{7,}[A-Za-z0-9_*-])"""
    r"""|(?P<user>://[^\s/@:]*:)(?P<password>[^\s/@]+)(?=@)"""
    r"""|(?P<name>(?<![\w-])(?:api[_-]?key|access[_-]?token|x-api-key)["']?\s*[=:]\s*["']?)(?P<value>[^\s"'&,;]{8,})""",
    re.IGNORECASE,
)
_SECRET_OPTION = re.compile(r"-.*(?:key|token|secret|password)$", re.IGNORECASE)
_SHORT = 12


def redact(text: str, known: Collection[str] = ()) -> str:
    """`text` with every `known` secret and everything of a secret's shape cut to its last four characters."""
    for secret in known:
        if secret in text:
            text = text.replace(secret, hint(secret))
    return _SHAPES.sub(_cut, text)


def redact_command(arguments: Sequence[str]) -> list[str]:
    """A command line with the values of options that take a secret, as `--api-key X` or `--token=X`, made stars."""
    shown: list[str] = []
    hidden = False
    for argument in arguments:
        name, equals, _ = argument.partition("=")
        if hidden:
            shown.append("***")
        elif equals and _SECRET_OPTION.match(name):
            shown.append(f"{name}=***")
        else:
            shown.append(redact(argument))
        hidden = not equals and bool(_SECRET_OPTION.match(argument))
    return shown


def hint(secret: str) -> str:
    """Enough of a secret to tell which one it is; nothing of a short one."""
    return f"…{secret[-4:]}" if len(secret) >= _SHORT else "…"


def _cut(found: re.Match[str]) -> str:
    kind = {"token": "scheme", "key": "prefix", "password": "user", "value": "name"}
    for secret, before in kind.items():
        if found[secret] is not None:
            return found[before] + ("***" if secret == "password" else hint(found[secret]))
    return found[0]
