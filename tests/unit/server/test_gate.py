"""The gate by itself: who is let in as whom, and what it costs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.errors import Forbidden, OrchestraError, TooManyRequests, Unauthorized
from orchestra_core.domain.principal import ANONYMOUS, LOCAL, OWNER, Scope
from orchestra_core.server.exchange import Request
from orchestra_core.server.gate import Gate, spell_seconds
from orchestra_core.server.rules import Rules
from orchestra_core.trust.keys import ApiKey, digest_of, mint
from tests.fakes.clock import ManualClock

HOST = b"localhost:8080"
ID, TOKEN = mint(bytes(4), bytes(24))


def key(*scopes: Scope, **more: object) -> ApiKey:
    fields: dict[str, object] = {"id": ID, "name": "k", "digest": digest_of(TOKEN), "scopes": scopes, **more}
    return ApiKey(**fields)


def gate(rules: Rules | None = None, *keys: ApiKey, clock: ManualClock | None = None) -> Gate:
    made = Gate(rules or Rules(), clock or ManualClock(), keys)
    made.listening(8080)
    return made


def request(
    peer: str = "127.0.0.1", token: str = "", method: str = "POST", path: str = "/x", **fields: bytes
) -> Request:
    headers = {b"host": HOST} | {name.replace("_", "-").encode(): value for name, value in fields.items()}
    if token:
        headers[b"authorization"] = b"Bearer " + token.encode()
    return Request(method, path, "", headers, b"", peer)


def test_without_keys_this_machine_may_use_and_operate() -> None:
    """Administration is for the socket; a key nobody asked for is ignored, as clients must send something."""
    plain = gate()
    assert plain.admit(request(), Scope.USE) is LOCAL
    assert plain.admit(request(token="anything"), Scope.OPERATE) is LOCAL
    with pytest.raises(Forbidden, match="Unix socket"):
        plain.admit(request(), Scope.ADMIN)
    assert plain.admit(request("unix"), Scope.ADMIN) is OWNER


@pytest.mark.parametrize("peer", ["unix:1001", "unknown", "::1", "10.0.0.1"])
def test_only_our_own_user_is_the_owner(peer: str) -> None:
    """Another user on our socket, or a client that cannot be named, is not."""
    with pytest.raises(Forbidden):
        gate().admit(request(peer), Scope.ADMIN)
    with pytest.raises(Unauthorized):
        gate(None, key(Scope.USE)).admit(request(peer), Scope.USE)


def test_any_host_is_good_on_the_socket() -> None:
    """For the owner and for others there: rebinding needs a browser, and browsers have no Unix sockets."""
    assert gate().admit(request("unix", host=b"evil.com"), Scope.USE) is OWNER
    assert gate().admit(request("unix:1001", host=b"evil.com"), Scope.USE) is LOCAL
    with pytest.raises(Forbidden, match="allowed_hosts"):
        gate().admit(request(host=b"evil.com"), Scope.USE)


def test_who_listens_beyond_this_machine_needs_a_key_whatever_is_configured() -> None:
    """The start refuses such a configuration; the gate would too."""
    for required in (None, True, False):
        with pytest.raises(Unauthorized):
            gate(Rules(host="0.0.0.0", require_key=required)).admit(request("10.0.0.1"), Scope.USE)


def test_a_new_configuration_does_not_move_the_listening_host() -> None:
    """The socket stays where it is until a restart, so its rules stay too."""
    made = gate(Rules(host="0.0.0.0"), key(Scope.USE))
    made.configure(Rules(host="127.0.0.1", require_key=False))
    with pytest.raises(Unauthorized):
        made.admit(request("10.0.0.1"), Scope.USE)


def test_scopes_of_a_key() -> None:
    """Each includes those before it and no more."""
    operator = gate(None, key(Scope.OPERATE))
    assert operator.admit(request(token=TOKEN), Scope.USE).id == ID
    assert operator.admit(request(token=TOKEN), Scope.OPERATE).name == "k"
    with pytest.raises(Forbidden, match=f"the key {ID} has not the scope admin"):
        operator.admit(request(token=TOKEN), Scope.ADMIN)


def test_everybody_is_welcome_where_nothing_is_told() -> None:
    """Health checks come without a key; with one they are known."""
    made = gate(None, key(Scope.USE))
    assert made.welcome(request()) is ANONYMOUS
    assert made.welcome(request(token="wrong")) is ANONYMOUS
    assert made.welcome(request(token=TOKEN)).id == ID
    assert gate().welcome(request()) is LOCAL
    with pytest.raises(Forbidden):
        made.welcome(request(host=b"evil.com"))


def test_a_revoked_key_still_keeps_the_door_shut() -> None:
    """Revoking the last key must not let everybody in, unless it is configured so."""
    revoked = key(Scope.USE, revoked=1.0)
    for token in ("", TOKEN):
        with pytest.raises(Unauthorized):
            gate(None, revoked).admit(request(token=token), Scope.USE)
    assert gate(Rules(require_key=False), revoked).admit(request(), Scope.USE) is LOCAL


def test_a_key_opens_until_it_expires_and_then_says_why() -> None:
    """To who has it and nobody else; what it began ends; it counts as a guess of its address, and as no key."""
    clock = ManualClock(wall=1_800_000_000.0)
    brief = key(Scope.ADMIN, expires=1_800_000_060.0)
    made = gate(Rules(requests_per_minute=1), brief, clock=clock)
    known = request(token=TOKEN)
    assert made.admit(known, Scope.USE).id == ID
    assert made.welcome(known).id == ID
    assert made.still(known)
    clock.advance(60)
    with pytest.raises(Unauthorized, match=f"the key {ID} expired at 2027-01-15T08:01:00.000Z") as refused:
        made.admit(late := request(token=TOKEN), Scope.USE)
    assert refused.value.code == "expired_api_key"
    assert made.welcome(late) is ANONYMOUS
    assert (made.still(late), made.foresees(late, Scope.USE)) == (False, False)
    with pytest.raises(TooManyRequests):
        made.admit(request(token=TOKEN), Scope.USE)
    for token in ("", TOKEN[:-1], ID):
        with pytest.raises(Unauthorized, match="needs an API key that it knows"):
            gate(None, brief, clock=clock).admit(request(token=token), Scope.USE)
    anybody = gate(Rules(require_key=False), brief, clock=clock)
    assert anybody.admit(request(token=TOKEN), Scope.USE) is LOCAL
    with pytest.raises(Forbidden):
        anybody.admit(request(token=TOKEN), Scope.ADMIN)


def test_guessing_costs_the_address_and_not_the_key() -> None:
    """Wrong keys use up what the address has; the right key from there still works."""
    made = gate(Rules(requests_per_minute=2), key(Scope.USE, requests_per_minute=0))
    for expected in (Unauthorized, Unauthorized, TooManyRequests):
        with pytest.raises(expected):
            made.admit(request(token="guess"), Scope.USE)
    assert made.admit(request(token=TOKEN), Scope.USE).id == ID


def test_a_flood_of_addresses_costs_no_key_anything() -> None:
    """Ten thousand strangers fill what is remembered of addresses; a key that was idle has its whole minute."""
    clock = ManualClock()
    made = gate(Rules(requests_per_minute=2, tokens_per_minute=2), key(Scope.USE), clock=clock)
    for number in range(10_000):
        peer = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        made.spent(peer, 1000)
        with pytest.raises((Unauthorized, TooManyRequests)):
            made.admit(request(peer, method="GET"), Scope.USE)
    with pytest.raises(TooManyRequests):
        made.admit(request("192.0.2.1"), Scope.USE)
    assert made.admit(request(token=TOKEN), Scope.USE).id == ID
    made.spent(ID, 3)
    with pytest.raises(TooManyRequests, match="tokens per minute"):
        made.admit(request(token=TOKEN), Scope.USE)


def test_who_is_still_welcome() -> None:
    """As at the door: by key, by rules, and without counting; the owner always."""
    made = gate(Rules(requests_per_minute=1), clock=ManualClock())
    stranger, bearer, owner = request(), request(token=TOKEN), request("unix")
    assert all(made.still(one) for one in (stranger, bearer, owner) for _ in range(3))
    made.replace([key(Scope.USE)])
    assert [made.still(one) for one in (stranger, bearer, owner)] == [False, True, True]
    made.replace([key(Scope.USE, revoked=1.0)])
    assert [made.still(one) for one in (stranger, bearer, owner)] == [False, False, True]
    page = request(token=TOKEN, origin=b"https://a.example")
    made.configure(Rules(cors_origins=("https://a.example",)))
    made.replace([key(Scope.USE)])
    assert made.still(page)
    made.configure(Rules())
    assert not made.still(page)


def test_a_key_that_is_refused_is_known() -> None:
    """Whoever writes down refusals can name it, whatever it was refused for."""
    made = gate(Rules(requests_per_minute=1), key(Scope.USE), clock=ManualClock())
    beyond, first, second = (request(token=TOKEN) for _ in range(3))
    with pytest.raises(Forbidden):
        made.admit(beyond, Scope.ADMIN)
    made.admit(first, Scope.USE)
    with pytest.raises(TooManyRequests):
        made.admit(second, Scope.USE)
    assert [one.principal.id for one in (beyond, first, second)] == [ID] * 3


def test_a_limit_comes_back_with_time() -> None:
    """What is refused says when; then it is admitted."""
    clock = ManualClock()
    made = gate(Rules(requests_per_minute=1), clock=clock)
    first = request()
    assert made.admit(first, Scope.USE) is LOCAL
    assert "x-ratelimit-remaining-requests: 0\r\n" in first.extra
    with pytest.raises(TooManyRequests) as caught:
        made.admit(request(), Scope.USE)
    assert caught.value.retry_after == 60
    clock.advance(60)
    assert made.admit(request(), Scope.USE) is LOCAL


def test_addresses_of_one_ipv6_network_share() -> None:
    """A client can choose among 2^64 of them."""
    made = gate(Rules(host="::1", requests_per_minute=1))
    assert made.admit(request("2001:db8::1"), Scope.USE) is LOCAL
    with pytest.raises(TooManyRequests):
        made.admit(request("2001:db8::2"), Scope.USE)
    assert made.admit(request("2001:db8:0:1::1"), Scope.USE) is LOCAL


def test_tokens_are_debited_by_what_a_call_is_counted_for() -> None:
    """A key's id or an address; the owner's are not counted."""
    made = gate(Rules(tokens_per_minute=10), key(Scope.USE), clock=ManualClock())
    made.spent(ID, 11)
    with pytest.raises(TooManyRequests, match="10 tokens per minute"):
        made.admit(request(token=TOKEN), Scope.USE)
    assert made.admit(request(token=TOKEN, method="GET"), Scope.USE).id == ID
    made.spent("unix", 10**9)
    assert made.admit(request("unix"), Scope.USE) is OWNER


def test_when_keys_were_used_is_told_once() -> None:
    """For whoever writes it down."""
    clock = ManualClock()
    made = gate(None, key(Scope.USE), clock=clock)
    made.admit(request(token=TOKEN), Scope.USE)
    assert made.take_used() == {ID: clock.monotonic()}
    assert made.take_used() == {}


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0, "0ms"), (0.02, "20ms"), (1, "1s"), (59.2, "1m0s"), (360, "6m0s")]
)
def test_times_are_spelt_as_openai_does(seconds: float, text: str) -> None:
    """Rounded up: nobody is told to come too early."""
    assert spell_seconds(seconds) == text


@given(
    st.dictionaries(
        st.sampled_from([b"host", b"origin", b"authorization", b"x-api-key", b"sec-fetch-site"]), st.binary()
    ),
    st.sampled_from(list(Scope)),
    st.sampled_from(["GET", "POST", "OPTIONS"]),
)
def test_no_bytes_in_a_header_break_the_gate(fields: dict[bytes, bytes], scope: Scope, method: str) -> None:
    """Whatever is sent: an answer or one of our own errors, and never a way in."""
    made = gate(Rules(cors_origins=("https://a.example",), requests_per_minute=5), key(Scope.ADMIN))
    asked = Request(method, "/x", "", {b"host": HOST, **fields}, b"", "127.0.0.1")
    with pytest.raises(OrchestraError) as caught:
        made.admit(asked, scope)
    assert caught.value.status in (401, 403, 429)
    assert caught.value.message.isprintable() or caught.value.status == 403


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_read_only_engine_lets_nobody_change_anything(method: str) -> None:
    """Not even its owner, and not by new rules while it runs; questions are answered."""
    made = gate(Rules(read_only=True))
    with pytest.raises(Forbidden, match="restart it with another configuration") as caught:
        made.let_change(request("unix", method=method))
    assert caught.value.code == "read_only"
    made.configure(Rules(read_only=False))
    with pytest.raises(Forbidden):
        made.let_change(request(method=method))
    for question in ("GET", "HEAD"):
        made.let_change(request(method=question))


@pytest.mark.parametrize(
    ("value", "bound"), [(b"1", True), (b"true", True), (b"?", True), (b"0", False), (b" No ", False)]
)
def test_a_client_binds_itself_by_a_header(value: bytes, bound: bool) -> None:
    """Whatever is not a plain no binds it; what to do is said."""
    made = gate()
    made.let_change(request())
    asked = request(x_orchestra_read_only=value)
    if not bound:
        made.let_change(asked)
        return
    with pytest.raises(Forbidden, match="--read-only") as caught:
        made.let_change(asked)
    assert caught.value.code == "read_only"
