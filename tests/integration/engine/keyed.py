"""Keys, and engines that know them, for tests of who may do what."""

from hashlib import sha256
from typing import Any

import httpx

from tests.fakes.engine_process import PLAIN, EngineProcess

USE, OPERATE, ADMIN, SLOW, DEAR = (f"ork-{name:0>8}-{'0' * 48}" for name in ("1", "2", "3", "4", "5"))
APP = "https://app.example.com"
MODEL = "sim-small:1b"
CHAT = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
ROUTE = {"prompt": "Hi", "max_tokens": 4}


def declared(name: str, token: str, scope: str, **more: int) -> str:
    limits = "".join(f"{key} = {value}\n" for key, value in more.items())
    digest = sha256(token.encode()).hexdigest()
    return f'[[keys]]\nname = "{name}"\ndigest = "sha256:{digest}"\nscopes = ["{scope}"]\n{limits}'


KEYS = "\n".join(
    (
        declared("user", USE, "use"),
        declared("operator", OPERATE, "operate"),
        declared("administrator", ADMIN, "admin"),
        declared("slow", SLOW, "use", requests_per_minute=2),
        declared("dear", DEAR, "use", tokens_per_minute=1),
    )
)
SERVER = (
    f'[server]\ncors_origins = ["{APP}"]\nallowed_hosts = ["gateway.lan"]\n[logging]\naccess = "access.log"\n'
)
NOTHING = "[discovery]\nenabled = false\n[embedded]\nenabled = false\n"


def ask(
    engine: EngineProcess,
    method: str,
    path: str,
    token: str | None = None,
    body: object = None,
    **headers: str,
) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    if token is not None:
        names["authorization"] = f"Bearer {token}"
    given: dict[str, Any] = {} if body is None else {"json": body}
    return httpx.request(method, engine.url + path, headers=names, timeout=30, **given, **PLAIN)


def error(answer: httpx.Response) -> dict[str, Any]:
    return dict(answer.json()["error"])
