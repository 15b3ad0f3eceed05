"""Where the data plane connects for one backend or one model of it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from orchestra_core.domain.errors import ConfigError


class Address(msgspec.Struct, frozen=True):
    """A host and port, or a Unix socket (`unix`). `prefix` goes before every path.

    `headers` may hold a secret, so it is not part of the representation.
    """

    host: str
    port: int
    unix: str | None = None
    tls: bool = False
    prefix: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """For people; never contains a secret."""
        if self.unix is not None:
            return self.unix
        return f"{'https' if self.tls else 'http'}://{self.host}:{self.port}{self.prefix}"

    def __repr__(self) -> str:
        return f"Address({self.label!r})"


def from_url(url: str, headers: Mapping[str, str]) -> Address:
    """The address of an http or https URL, whose path becomes the prefix. Raises ConfigError."""
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise ConfigError(f"{url!r} is not a URL: {error}") from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{url!r} is not a URL of a server: write http://host:port")
    if parts.username is not None or parts.password is not None:
        raise ConfigError(f"the URL of {parts.hostname} holds a user or password: use api_key_env instead")
    if parts.query or parts.fragment:
        raise ConfigError(f"{url!r} has a query or fragment, which a server's URL cannot have")
    for name, value in headers.items():
        if not (name + value).isascii() or not (name + value).isprintable():
            raise ConfigError(f"the {name} for {parts.hostname} has characters that a header cannot carry")
    return Address(
        host=parts.hostname,
        port=port,
        tls=parts.scheme == "https",
        prefix=parts.path.rstrip("/"),
        headers=tuple(headers.items()),
    )
