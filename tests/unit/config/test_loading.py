"""Flags over environment over file over defaults, and what is refused."""

import re
from pathlib import Path

import pytest

from orchestra_core.config import describe, listening, load, template
from orchestra_core.domain.catalog import BackendKind
from orchestra_core.domain.errors import ConfigError
from orchestra_core.engine.sections import timeouts, whole
from orchestra_core.pipeline.whole import Whole
from tests.unit.config.reading import OLLAMA, problems, read, with_embedded


def test_without_anything_the_defaults_of_the_contract_hold(tmp_path: Path) -> None:
    """No file, no environment: loopback, 8080, discovery on, SQLite under the data directory."""
    config = read(tmp_path)
    assert (config.server.host, config.server.port) == ("127.0.0.1", 8080)
    assert config.server.socket == f"{tmp_path}/.local/state/ai-orchestra/run/engine.sock"
    assert config.storage.url == f"sqlite:///{tmp_path}/.local/share/ai-orchestra/orchestra.db"
    assert (config.discovery.enabled, config.backends, config.log_level) == (True, (), "info")
    assert (config.alerts.memory_warning, config.alerts.memory_critical) == (0.70, 0.90)


def test_flags_win_over_environment_over_file(tmp_path: Path) -> None:
    """Each layer overrides the one below it, and describe names the layer of each value."""
    file = "[server]\nhost = '::1'\nport = 1111\nsocket = '/tmp/f.sock'\n"
    config = read(tmp_path, file, {"socket": "/tmp/flag.sock"}, API_PORT="2222", LOG_LEVEL="WARNING")
    sources = {key: (value, source) for key, value, source in describe(config)}
    assert sources["server.host"] == ("::1", f"{tmp_path}/ai-orchestra.toml:2")
    assert sources["server.port"] == ("2222", "environment API_PORT")
    assert sources["server.socket"] == ("/tmp/flag.sock", "flag --socket")
    assert sources["log_level"] == ("warning", "environment LOG_LEVEL")
    assert sources["alerts.memory_warning"] == ("0.7", "default")
    assert read(tmp_path, None, {"port": 3333}, API_PORT="2222").server.port == 3333


def test_the_file_is_searched_in_the_order_of_the_contract(tmp_path: Path) -> None:
    """--config, then $ORCHESTRA_CONFIG, then the working directory, then the XDG directory."""
    user = tmp_path / "xdg" / "ai-orchestra" / "config.toml"
    user.parent.mkdir(parents=True)
    here = tmp_path / "ai-orchestra.toml"
    files = [tmp_path / "flag.toml", tmp_path / "env.toml", here, user]
    for port, file in enumerate(files, start=1):
        file.write_text(f"[server]\nport = {port}\n")
    env = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert read(tmp_path, None, {"config": "flag.toml"}, ORCHESTRA_CONFIG="env.toml", **env).server.port == 1
    assert read(tmp_path, ORCHESTRA_CONFIG=str(files[1]), **env).server.port == 2
    assert read(tmp_path, **env).server.port == 3
    here.unlink()
    assert read(tmp_path, **env).server.port == 4


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """A file named by flag or environment that is not there is an error naming both."""
    with pytest.raises(ConfigError, match=r"--config.*nowhere.toml"):
        read(tmp_path, None, {"config": "nowhere.toml"})
    with pytest.raises(ConfigError, match=r"ORCHESTRA_CONFIG.*nowhere.toml"):
        read(tmp_path, ORCHESTRA_CONFIG="nowhere.toml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nprot = 1", 'FILE:2: unknown key server.prot; did you mean "port"?'),
        ("\n[sever]\nport = 1", 'FILE:2: unknown key sever; did you mean "server"?'),
        ("[[backend]]\nname = 'x'", 'FILE:1: unknown key backend; did you mean "backends"?'),
        (
            "[models.'a:b']\nqualty = 'low'",
            'FILE:2: unknown key models."a:b".qualty; did you mean "quality"?',
        ),
        ("[fallbacks]\ncoding = []", "FILE:2: unknown key fallbacks.coding; did you mean"),
        ("[server]\nport = 'x'", "FILE:2: server.port is 'x'; it must be a port from 1 to 65535"),
        ("[server]\nport = true", "FILE:2: server.port is true; it must be a port"),
        ("[server]\nport = 70000", "FILE:2: server.port is 70000; it must be a port"),
        ("server = 1", "FILE:1: server must be a table, written [server]"),
        ("backends = 1", "FILE:1: backends must be an array of tables"),
        (
            "[server]\nhost = 'a b'",
            "FILE:2: server.host is 'a b'; it must be an IP address or a host name",
        ),
        ("[discovery]\nenabled = 'yes'", "FILE:2: discovery.enabled is 'yes'; it must be true or false"),
        ("[storage]\nredis = 'http://h/0'", "FILE:2: storage.redis is 'http://h/0'; it must be redis://"),
        (
            "[storage]\nurl = 'mysql://h/d'",
            "FILE:2: storage.url is 'mysql://h/d'; it must be sqlite:///file.db or",
        ),
        ("[alerts]\nmemory_warning = 0.95", "FILE:2: alerts.memory_warning (0.95) must be below"),
        (
            "[memory]\nevict = 0.95",
            "FILE:2: memory.evict (0.95) must be between alerts.memory_warning (0.7) and",
        ),
        ("[memory]\nheadroom = 'some'", "FILE:2: memory.headroom is 'some'; it must be a size such as"),
        ("[memory]\nswap_seconds = 0", "FILE:2: memory.swap_seconds is 0; it must be a number from 1"),
        ("[models.m]\ncopies = 0", "FILE:2: models.m.copies is 0; it must be a whole number from 1"),
        (
            "[alerts]\nmemory_critical = 90",
            "FILE:2: alerts.memory_critical is 90; it must be a number from 0 to 1",
        ),
        (
            "[models.m]\nquality = 'best'",
            "FILE:2: models.m.quality is 'best'; it must be one of low, medium, high",
        ),
        (
            "[models.m]\ncapabilities = ['sing']",
            "FILE:2: models.m.capabilities is ['sing']; it must be a list",
        ),
        ("[server]\nsocket = '/" + "x" * 107 + "'", "server.socket: /xxxx"),
        ("log_level = 'loud'", "FILE:1: log_level is 'loud'; it must be one of debug, info, warning, error"),
        ("[server\n", "FILE: not valid TOML: "),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_what_is_allowed(
    tmp_path: Path, text: str, expected: str
) -> None:
    """A wrong key or value is one problem with file, line, field and what is allowed."""
    told = problems(tmp_path, text)
    assert len(told) == 1
    assert told[0].startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (OLLAMA + OLLAMA, 'FILE:6: there is already a backend named "a"'),
        (
            OLLAMA.replace("ollama", "anthropic"),
            "FILE:3: backends[0].kind is 'anthropic'; it must be one of ollama,",
        ),
        (
            OLLAMA.replace("ollama", "Ollama"),
            "FILE:3: backends[0].kind is 'Ollama'; it must be one of ollama,",
        ),
        (OLLAMA.replace("url", "# url"), "FILE:1: a backend of kind ollama needs a url"),
        (OLLAMA.replace("name", "# name"), "FILE:1: this backend has no name"),
        (OLLAMA.replace("'a'", "'a/b'"), "FILE:2: backends[0].name is 'a/b'; it must be up to 64 letters"),
        (
            OLLAMA.replace("http:", "ftp:"),
            "FILE:4: backends[0].url is 'ftp://127.0.0.1:11434'; it must be http://",
        ),
        (
            OLLAMA.replace("//127", "//u:hush@127"),
            "FILE:4: backends[0].url is 'http://u:***@127.0.0.1:11434'; it",
        ),
        (OLLAMA.replace("11434", "999999"), "FILE:4: backends[0].url is"),
        (OLLAMA + "memory = '24XB'", "FILE:5: backends[0].memory is '24XB'; it must be a size such as"),
        (OLLAMA + "max_loaded = 0", "FILE:5: backends[0].max_loaded is 0; it must be a whole number from 1"),
        (OLLAMA + "device = 'gpu'", 'FILE:5: backends[0].device is \'gpu\'; it must be "host", or "gpu:"'),
        (OLLAMA + "slots = 0", "FILE:5: backends[0].slots is 0; it must be a whole number from 1 to 4096"),
        (OLLAMA + "weight = 0", "FILE:5: backends[0].weight is 0; it must be a number above 0"),
        (
            OLLAMA + "timeouts.connect = 0",
            "FILE:5: backends[0].timeouts.connect is 0; it must be a number from 0",
        ),
        (
            OLLAMA + "timeouts = {first_tokn = 1}",
            'FILE:5: unknown key backends[0].timeouts.first_tokn; did you mean "first_token"?',
        ),
        (OLLAMA + "timeouts = {keep_alive = 1}", "FILE:5: unknown key backends[0].timeouts.keep_alive"),
        (OLLAMA + "timeouts = 5", "FILE:5: backends[0].timeouts must be a table"),
        (OLLAMA + "command = ['x']", "FILE:5: command is only for backends of kind managed"),
        (
            OLLAMA + "api_key = 'sk-hush'",
            'FILE:5: unknown key backends[0].api_key; did you mean "api_key_env"?',
        ),
        (
            "[[backends]]\nname = 'm'\nkind = 'managed'\ncommand = ['x']",
            "FILE:1: a managed backend with a command",
        ),
        ("[[backends]]\nname = 'm'\nkind = 'managed'", 'FILE:1: backend "m" has neither command nor files'),
    ],
)
def test_a_backend_that_cannot_work_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    """Duplicate, incomplete or contradictory backends are refused at the line of what is wrong."""
    told = problems(tmp_path, text)
    assert len(told) == 1
    assert told[0].startswith(expected)
    assert "hush" not in told[0]


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """One check shows every problem of file, environment and flags."""
    assert (
        len(problems(tmp_path, "[server]\nprot = 1\nport = 'x'\n[[backends]]\nname = 'a'", API_PORT="y")) == 4
    )


def test_the_share_from_which_idle_models_go_follows_moved_alarms(tmp_path: Path) -> None:
    """Alarms moved past the usual share leave it between them, without having to be told."""
    assert read(tmp_path, "[alerts]\nmemory_warning = 0.6").memory.evict == 0.85
    moved = read(tmp_path, "[alerts]\nmemory_warning = 0.86\nmemory_critical = 0.96").memory
    assert moved.evict == pytest.approx(0.91)


def test_rules_of_a_model_are_read(tmp_path: Path) -> None:
    """What may be done with a model's memory is typed: bytes, seconds, counts."""
    text = "[models.m]\npinned = true\ngroup = 'large'\nttl_seconds = 600\ncopies = 2\nmemory = '12GB'"
    model = read(tmp_path, text).models["m"]
    assert (model.pinned, model.group, model.ttl_seconds) == (True, "large", 600.0)
    assert (model.copies, model.memory) == (2, 12_000_000_000)


def test_a_full_backend_is_read_with_sizes_in_bytes(tmp_path: Path) -> None:
    """The example of the contract becomes typed values: bytes, tuples, the key from the environment."""
    text = (
        OLLAMA + "slots = 4\nmemory = '24GB'\nweight = 2\nregion = 'x'\nmodels = ['m']\napi_key_env = 'KEY'\n"
    )
    (backend,) = read(tmp_path, text, KEY="sk-hush").backends
    assert (backend.kind, backend.slots, backend.memory, backend.weight) == (
        BackendKind.OLLAMA,
        4,
        24_000_000_000,
        2.0,
    )
    assert (backend.region, backend.models, backend.embedded) == ("x", ("m",), False)
    assert backend.api_key is not None
    assert backend.api_key.reveal() == "sk-hush"


@pytest.mark.parametrize(
    ("given", "size"), [("1KiB", 1024), ("1.5 MB", 1_500_000), ("2g", 2_000_000_000), ("7", 7)]
)
def test_sizes_are_decimal_or_binary_as_their_unit_says(tmp_path: Path, given: str, size: int) -> None:
    """GB is a power of ten, GiB a power of two, no unit is bytes."""
    assert read(tmp_path, OLLAMA + f"memory = '{given}'").backends[0].memory == size


def test_a_backend_may_be_given_more_or_less_time(tmp_path: Path) -> None:
    """What it names is its own, the rest is as for all; a request may take as long as the most patient backend."""
    text = "[timeouts]\ntotal = 100\nunstreamed = 50\n" + OLLAMA + "timeouts = { connect = 2, total = 200 }\n"
    config = read(tmp_path, text)
    own = timeouts(config).own["a"]
    assert (own.connect, own.total, own.unstreamed) == (2.0, 200.0, 50.0)
    assert set(timeouts(read(tmp_path, OLLAMA)).own) == {"a"}, "also without: a reload takes its own back"
    assert whole(config) == Whole(plain=50.0, streamed=200.0)
    place = f"{tmp_path / 'ai-orchestra.toml'}:4"
    assert [line for line in describe(config) if line[0].startswith("backends.a.timeouts")] == [
        ("backends.a.timeouts.connect", "2", place),
        ("backends.a.timeouts.total", "200", place),
    ]


def test_secrets_are_in_no_repr_and_no_description(tmp_path: Path) -> None:
    """Neither a key nor a database password can be printed by accident."""
    text = OLLAMA + "api_key_env = 'KEY'\n"
    config = read(tmp_path, text, KEY="sk-hush")
    assert "sk-hush" not in repr(config) + str(describe(config))
    assert ("backends.a.api_key", "(set)", "environment KEY") in describe(config)


def test_a_key_that_is_not_set_is_noted(tmp_path: Path) -> None:
    """A missing key does not stop the engine, and the operator is told."""
    config = read(tmp_path, OLLAMA + "api_key_env = 'KEY'\n")
    assert any("KEY is not set" in note for note in config.notes)


def test_every_environment_name_of_the_contract_is_used_or_spoken_of(tmp_path: Path) -> None:
    """Names from the original either set a value or are said to have no effect in this version."""
    config = read(
        tmp_path,
        ORCHESTRATOR_HOST="localhost",
        ORCHESTRATOR_API_PORT="81",
        ORCHESTRATOR_DEBUG="true",
        LOG_LEVEL="error",
        RESOURCE_PORTS_OLLAMA="1234",
        UI_PORT="3001",
        RESOURCE_PORTS_POSTGRES="5439",
        DATABASE_URL="sqlite:////srv/o.db",
        RESOURCE_PORTS_REDIS="6379",
    )
    assert (config.server.host, config.server.port, config.log_level) == ("localhost", 81, "debug")
    assert config.discovery.ports == (1234,)
    assert config.storage.url == "sqlite:////srv/o.db"
    assert config.storage.redis == "redis://127.0.0.1:6379/0"
    assert [note.split()[0] for note in config.notes[:2]] == ["UI_PORT", "RESOURCE_PORTS_POSTGRES"]


def test_the_embedded_model_is_served_only_where_nothing_else_is_configured(tmp_path: Path) -> None:
    """With the extra and no backends there is one managed backend, unless switched off or in a demo."""
    served = with_embedded(tmp_path).backends
    assert [(b.name, b.kind, b.embedded) for b in served] == [("local", BackendKind.MANAGED, True)]
    assert with_embedded(tmp_path, demo=True).backends == ()
    assert with_embedded(tmp_path, "[embedded]\nenabled = false").backends == ()
    assert [b.name for b in with_embedded(tmp_path, OLLAMA).backends] == ["a"]
    assert "ai-orchestra[embedded]" in read(tmp_path, "").notes[0]


def test_simulated_users_ask_a_simulated_fleet_only(tmp_path: Path) -> None:
    """Nobody sends them to real backends by a slip."""
    assert load({"demo": True, "users": 3}, {}, tmp_path).demo_users == 3
    with pytest.raises(ConfigError, match="add --demo"):
        load({"users": 3}, {}, tmp_path)


def test_a_demo_keeps_its_books_apart_and_is_found_where_any_engine_is(tmp_path: Path) -> None:
    """What is simulated comes into no real ledger, journal or audit; clients look for one socket."""
    real, demo = (load({"demo": demo}, {"HOME": str(tmp_path)}, tmp_path) for demo in (False, True))
    assert demo.storage.url == f"sqlite:///{tmp_path}/.local/share/ai-orchestra/demo/orchestra.db"
    assert demo.paths.state_dir == real.paths.state_dir / "demo"
    assert (demo.server.socket, demo.paths.cache_dir) == (real.server.socket, real.paths.cache_dir)


def test_old_task_names_in_fallbacks_become_the_present_ones(tmp_path: Path) -> None:
    """`code` is taken for `code_generation`, as everywhere."""
    assert read(tmp_path, "[fallbacks]\ncode = ['x', 'y']").fallbacks == {"code_generation": ("x", "y")}


def test_relative_paths_in_the_file_do_not_depend_on_where_the_engine_starts(tmp_path: Path) -> None:
    """A relative socket is beside the file, a relative database under the data directory."""
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "c.toml").write_text(
        "[server]\nsocket = 'e.sock'\n[storage]\nurl = 'sqlite:///o.db'\n"
    )
    config = read(tmp_path, None, {"config": "conf/c.toml"}, XDG_DATA_HOME="/data")
    assert config.server.socket == str(tmp_path / "conf" / "e.sock")
    assert config.storage.url == "sqlite:////data/ai-orchestra/o.db"


def test_the_template_passes_its_own_check_and_says_the_defaults(tmp_path: Path) -> None:
    """What `config init` writes is valid and changes nothing."""
    plain = read(tmp_path)
    written = read(tmp_path, template())
    assert (written.server, written.storage, written.alerts, written.notes) == (
        plain.server,
        plain.storage,
        plain.alerts,
        plain.notes,
    )


def test_the_examples_in_the_template_are_valid_too(tmp_path: Path) -> None:
    """With every example uncommented the file still passes."""
    keys = re.compile(r"# (\[|[a-z_]+ = )")
    lines = [line[2:] if keys.match(line) else line for line in template().splitlines()]
    config = read(tmp_path, "\n".join(lines))
    assert [backend.name for backend in config.backends] == ["box1", "cloud", "mine"]
    assert list(config.models) == ["llama3.2:3b"]


def test_clients_find_the_engine_of_a_broken_configuration_by_the_defaults(tmp_path: Path) -> None:
    """`listening` follows a good file and falls back to the defaults for a bad one."""
    (tmp_path / "ai-orchestra.toml").write_text("[server]\nport = 99\n")
    assert listening(None, {"HOME": str(tmp_path)}, tmp_path).port == 99
    (tmp_path / "ai-orchestra.toml").write_text("[server]\nprot = 99\n")
    assert listening(None, {"HOME": str(tmp_path)}, tmp_path).port == 8080
