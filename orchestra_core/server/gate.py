"""Whether a request may be answered at all, and as whose: asked once per request, before any handler.

Theory of operation. Over the Unix socket the kernel has told who asks: the owner may do everything. Over TCP
the Host has to be one of ours (DNS rebinding) and a web page has to be an allowed one, whatever the path. Then,
where keys are in use, the key decides; without, whoever reaches the loopback address may use and operate, and
administration stays with the Unix socket. Limits count last, so that a refused request costs nobody anything
but the address that guesses keys.
"""

import ipaddress
import math
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from orchestra_core.clock import Clock, rfc3339
from orchestra_core.domain.errors import Forbidden, TooManyRequests, Unauthorized
from orchestra_core.domain.principal import ANONYMOUS, LOCAL, OWNER, Principal, Scope
from orchestra_core.server.exchange import Request
from orchestra_core.server.peer import OWNER as OWNER_PEER
from orchestra_core.server.rules import Rules
from orchestra_core.trust.hosts import Hosts, is_loopback
from orchestra_core.trust.keys import ApiKey, Keyring, Known, token_in
from orchestra_core.trust.limits import Buckets, Standing
from orchestra_core.trust.origins import Origins, is_preflight

# One text for every reason: absent, malformed, unknown, revoked. Only who has a key is told that it has expired.
_NO_KEY: Final = (
    "this engine needs an API key that it knows: send `Authorization: Bearer ork-…` "
    "(make one with `ai-orchestra keys create`)"
)

_ADMIN: Final = Scope.ADMIN
_QUESTIONS: Final = ("GET", "HEAD")
_NOT_BOUND: Final = (b"", b"0", b"false", b"no")


class Balances:
    """What is left of the requests and tokens of each key, or of each address."""

    def __init__(self) -> None:
        self.requests = Buckets()
        self.tokens = Buckets()


class Gate:
    """`listening` has to be told the port before anything is admitted over TCP."""

    def __init__(self, rules: Rules, clock: Clock, keys: Iterable[ApiKey] = ()) -> None:
        self._clock = clock
        # Apart from each other: a flood of addresses must not take from what is remembered of keys.
        self._of_keys = Balances()
        self._of_addresses = Balances()
        self._keyring = Keyring(keys)
        self._used: dict[str, float] = {}
        self._bound = rules.host
        # For as long as it runs: whoever could reload could else allow himself everything.
        self.read_only = rules.read_only
        self._port = 0
        self.configure(rules)

    # -- what is in force ------------------------------------------------------------------------------

    def configure(self, rules: Rules) -> None:
        """New rules, from the next request on; nobody's balance is lost. Where we listen is not changed by that."""
        self._rules = rules = msgspec.structs.replace(rules, host=self._bound)
        self._origins = Origins(rules.cors_origins)
        self.listening(self._port)
        self._refresh()

    def listening(self, port: int) -> None:
        self._port = port
        self._hosts = Hosts(self._rules.host, self._rules.allowed_hosts, port)
        self._usual = self._hosts.usual

    def replace(self, keys: Iterable[ApiKey]) -> None:
        """All keys there are from now on."""
        self._keyring.replace(keys)
        self._refresh()

    def _refresh(self) -> None:
        rules = self._rules
        required = rules.require_key
        self.key_required = (self._keyring.used if required is None else required) or not is_loopback(
            rules.host
        )
        self._limited = (
            rules.requests_per_minute > 0
            or rules.tokens_per_minute > 0
            or any(key.requests_per_minute or key.tokens_per_minute for key in self._keyring.keys)
        )
        self._plain = not self.key_required and not self._keyring.used and not self._limited

    @property
    def keys(self) -> tuple[ApiKey, ...]:
        return self._keyring.keys

    def take_used(self) -> Mapping[str, float]:
        """When each key was used last (monotonic seconds), as far as not taken before."""
        used, self._used = self._used, {}
        return used

    # -- the decision ----------------------------------------------------------------------------------

    def admit(self, request: Request, scope: Scope) -> Principal:
        """Who asks, having `scope`. Raises Unauthorized, Forbidden or TooManyRequests."""
        if request.peer == OWNER_PEER:
            return OWNER
        fields = request.fields
        if fields.get(b"host") not in self._usual or b"origin" in fields or b"sec-fetch-site" in fields:
            self._screen(request)
        if not self._plain:
            return self._identify(request, scope)
        if scope is _ADMIN:
            raise _administration()
        return LOCAL

    def welcome(self, request: Request) -> Principal:
        """Who asks for what everybody may see: only Host and Origin decide; a wrong key is no key."""
        if request.peer == OWNER_PEER:
            return OWNER
        self._screen(request)
        if self._plain:
            return LOCAL
        known = self._key_of(request)
        if known is not None:
            return known.principal
        return ANONYMOUS if self.key_required else LOCAL

    def still(self, request: Request) -> bool:
        """Whether who was admitted to use would be again, as keys and rules are now; nothing is counted."""
        return request.peer == OWNER_PEER or self._lets_in(request, Scope.USE)[0]

    def let_change(self, request: Request) -> None:
        """Raises Forbidden where the engine, or the client by its own wish, is read-only and this is no question."""
        if request.method in _QUESTIONS:
            return
        if self.read_only:
            raise Forbidden(
                "this engine is read-only ([server] read_only = true): nobody can change anything over its API; "
                "restart it with another configuration",
                code="read_only",
            )
        if request.fields.get(b"x-orchestra-read-only", b"0").strip().lower() not in _NOT_BOUND:
            raise Forbidden(
                "this client has bound itself to change nothing (x-orchestra-read-only): "
                "start it without --read-only, or leave out the header",
                code="read_only",
            )

    def foresees(self, request: Request, scope: Scope) -> bool:
        """Whether `admit` would let it in; nothing is counted."""
        if request.peer == OWNER_PEER:
            return True
        let_in, key = self._lets_in(request, scope)
        return let_in and not (self._limited and self._is_spent(request, key, scope))

    def _lets_in(self, request: Request, scope: Scope) -> tuple[bool, ApiKey | None]:
        try:
            self._screen(request)
        except Forbidden:
            return False, None
        known = self._key_of(request)
        if known is None:
            return not self.key_required and scope in LOCAL.scopes, None
        return scope in known.principal.scopes, known.key

    def _key_of(self, request: Request) -> Known | None:
        """The key it came with, unless that has expired."""
        known = self._keyring.find(token_in(request.fields) or b"")
        return None if known is None or self._has_expired(known) else known

    def _has_expired(self, known: Known) -> bool:
        return known.expires is not None and known.expires <= self._clock.wall()

    def preflight(self, request: Request) -> str | None:
        """The header lines that answer a preflight, None if this is none; Forbidden where no page may ask."""
        if not is_preflight(request.method, request.fields):
            return None
        self._check_host(request)
        return self._origins.preflight(request.fields)

    def _screen(self, request: Request) -> None:
        self._check_host(request)
        request.extra = request.echo + self._origins.lines(request.fields)

    def _check_host(self, request: Request) -> None:
        host = request.fields.get(b"host")
        # HTTP/1.0 has no Host header, and no browser speaks it; nor does one reach a Unix socket.
        if host is None or request.peer.startswith("unix:"):
            return
        if not self._hosts.allows(host):
            raise Forbidden(
                f"the host {host.decode('latin-1')[:128]} is not one of this engine's: "
                "add it to server.allowed_hosts if it should be",
                code="host_not_allowed",
            )

    def _identify(self, request: Request, scope: Scope) -> Principal:
        known = self._keyring.find(token_in(request.fields) or b"")
        if known is None or (known.expires is not None and self._has_expired(known)):
            return self._admit_stranger(request, scope, known)
        now = self._clock.monotonic()
        # Also where it is refused below: the audit names the key.
        request.principal = principal = known.principal
        self._used[principal.id] = now
        if scope not in principal.scopes:
            raise _without(known, scope)
        if self._limited:
            self._count(request, known.key, scope, now)
        return principal

    def _admit_stranger(self, request: Request, scope: Scope, expired: Known | None) -> Principal:
        """Who has no key that may be used; `expired` is the one that came."""
        if self._limited:
            self._count(request, None, scope, self._clock.monotonic())
        if self.key_required:
            raise Unauthorized(_NO_KEY) if expired is None else _too_late(expired)
        if scope not in LOCAL.scopes:
            raise _administration()
        return LOCAL

    # -- limits ----------------------------------------------------------------------------------------

    def _count(self, request: Request, key: ApiKey | None, scope: Scope, now: float) -> None:
        """Takes one request, unless its key or address has none left or has overdrawn its tokens."""
        name, balances = self._account(request, key)
        requests, tokens = self._limits(key)
        if tokens and scope is Scope.USE and request.method == "POST":
            standing = balances.tokens.look(name, tokens, now)
            request.extra += _lines("tokens", standing)
            if standing.wait > 0:
                raise _too_many("tokens", standing)
        if requests:
            standing = balances.requests.take(name, requests, now)
            request.extra += _lines("requests", standing)
            if standing.wait > 0:
                raise _too_many("requests", standing)

    def _is_spent(self, request: Request, key: ApiKey | None, scope: Scope) -> bool:
        """Whether `_count` would refuse it; nothing is taken."""
        now = self._clock.monotonic()
        name, balances = self._account(request, key)
        requests, tokens = self._limits(key)
        if tokens and scope is Scope.USE and balances.tokens.look(name, tokens, now).wait > 0:
            return True
        return requests > 0 and balances.requests.look(name, requests, now).remaining < 1

    def _account(self, request: Request, key: ApiKey | None) -> tuple[str, Balances]:
        return (account(request.peer), self._of_addresses) if key is None else (key.id, self._of_keys)

    def _limits(self, key: ApiKey | None) -> tuple[int, int]:
        """(requests, tokens) per minute of a key, or of an address."""
        rules = self._rules
        requests, tokens = rules.requests_per_minute, rules.tokens_per_minute
        if key is not None:
            requests = requests if key.requests_per_minute is None else key.requests_per_minute
            tokens = tokens if key.tokens_per_minute is None else key.tokens_per_minute
        return requests, tokens

    def spent(self, who: str, tokens: int) -> None:
        """What a finished call used, by its `Call.key`: debited afterwards, so the balance may be negative."""
        if not self._limited or who == OWNER_PEER or not tokens:
            return
        key = self._keyring.get(who)
        per_minute = self._limits(key)[1]
        if not per_minute:
            return
        now = self._clock.monotonic()
        if key is None:
            self._of_addresses.tokens.spend(account(who), per_minute, tokens, now)
        else:
            self._of_keys.tokens.spend(key.id, per_minute, tokens, now)


def account(name: str) -> str:
    """Whose balance: an IPv6 client can choose among 2^64 addresses of its network, so the network counts."""
    if ":" not in name or name.startswith("unix:"):
        return name
    try:
        return str(ipaddress.ip_network((name.partition("%")[0], 64), strict=False))
    except ValueError:
        return name


def _administration() -> Forbidden:
    return Forbidden(
        "administration is for the Unix socket, or over TCP for a key with the scope admin",
        code="insufficient_scope",
    )


def _too_late(known: Known) -> Unauthorized:
    return Unauthorized(
        f"the key {known.principal.id} expired at {rfc3339(known.expires or 0.0)}; "
        "make another with `ai-orchestra keys create`",
        code="expired_api_key",
    )


def _without(known: Known, scope: Scope) -> Forbidden:
    return Forbidden(
        f"the key {known.principal.id} has not the scope {scope.value}", code="insufficient_scope"
    )


def _too_many(what: str, standing: Standing) -> TooManyRequests:
    return TooManyRequests(
        f"more than {standing.limit} {what} per minute; come again in {math.ceil(standing.wait)} s",
        retry_after=math.ceil(standing.wait),
    )


def _lines(what: str, standing: Standing) -> str:
    """OpenAI's names, which its clients and others' dashboards know."""
    return (
        f"x-ratelimit-limit-{what}: {standing.limit}\r\n"
        f"x-ratelimit-remaining-{what}: {standing.remaining}\r\n"
        f"x-ratelimit-reset-{what}: {spell_seconds(standing.reset)}\r\n"
    )


def spell_seconds(seconds: float) -> str:
    """As OpenAI writes them: `20ms`, `1s`, `6m0s`."""
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    minutes, rest = divmod(math.ceil(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
