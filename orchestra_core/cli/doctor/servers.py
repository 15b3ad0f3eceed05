"""Configured backends, and model servers found on their usual ports."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from orchestra_core.cli.doctor.finding import Finding, fail, ok, warn
from orchestra_core.config import BackendSettings, Config
from orchestra_core.domain.catalog import BackendKind

_SECONDS = 3.0
_USUAL = {11434: "Ollama", 8000: "vLLM", 1234: "LM Studio", 8081: "llama-server"}


def check_servers(config: Config) -> list[Finding]:
    findings = [finding for backend in config.backends for finding in _backend(backend)]
    found = _discover(config) if config.discovery.enabled else []
    if not config.backends and not found:
        findings.append(
            fail(
                "backends",
                "none is configured and no local server was found",
                "pip install 'ai-orchestra[embedded]', start a server, or add [[backends]] (`config init`)",
            )
        )
    return findings + found


def _backend(backend: BackendSettings) -> list[Finding]:
    name = f"backend {backend.name}"
    if backend.kind is BackendKind.MANAGED:
        return _managed(name, backend)
    try:
        answer, elapsed, shown = _ask(backend)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        fix = f"start the server at {backend.url}, or correct its url"
        return [fail(name, f"not reachable: {str(error) or type(error).__name__}", fix)]
    if answer.status_code in {401, 403}:
        return [
            fail(
                name,
                f"refuses us (HTTP {answer.status_code})",
                "set the variable named by api_key_env to a valid key",
            )
        ]
    models = _names(answer)
    if models is None:
        return [
            fail(
                name,
                f"HTTP {answer.status_code} at {shown}",
                f"check that url and kind {backend.kind} belong together",
            )
        ]
    missing = [model for model in backend.models if model not in models]
    detail = f"{backend.kind} at {backend.url}, {elapsed * 1000:.0f} ms, {len(models)} models"
    if missing:
        return [
            warn(
                name, f"{detail}; not there: {', '.join(missing)}", "correct `models`, or install them there"
            )
        ]
    return [ok(name, detail)]


def _managed(name: str, backend: BackendSettings) -> list[Finding]:
    if backend.command and shutil.which(backend.command[0]) is None:
        return [fail(name, f"there is no program {backend.command[0]}", "install it, or correct `command`")]
    missing = [file for file in backend.files.values() if not Path(file).expanduser().is_file()]
    if missing:
        return [fail(name, f"no such file: {', '.join(missing)}", "correct `files`")]
    what = "the embedded model" if backend.embedded else ", ".join(backend.files or backend.models)
    return [ok(name, f"managed, {what}")]


def _ask(backend: BackendSettings) -> tuple[httpx.Response, float, str]:
    url = backend.url or ""
    transport = None
    if url.startswith("unix://"):
        transport, url = httpx.HTTPTransport(uds=urlsplit(url).path), "http://localhost"
    path = (
        "/api/tags"
        if backend.kind is BackendKind.OLLAMA
        else "/models"
        if url.endswith("/v1")
        else "/v1/models"
    )
    headers = {"authorization": f"Bearer {backend.api_key.reveal()}"} if backend.api_key else {}
    with httpx.Client(transport=transport, timeout=_SECONDS, headers=headers) as client:
        answer = client.get(url + path)
    return answer, answer.elapsed.total_seconds(), url + path


def _names(answer: httpx.Response) -> set[str] | None:
    """The names of a list in Ollama's or OpenAI's shape; None when it is neither."""
    try:
        body = answer.json()
        if "models" in body and "data" not in body:
            return {str(entry["name"]) for entry in body["models"]}
        return {str(entry["id"]) for entry in body["data"]}
    except (ValueError, KeyError, TypeError):
        return None


def _discover(config: Config) -> list[Finding]:
    usual = {**_USUAL, **dict.fromkeys(config.discovery.ports, "Ollama")}
    taken = {urlsplit(backend.url).port for backend in config.backends if backend.url}
    found: list[Finding] = []
    for port, name in usual.items():
        if port in taken or port == config.server.port:
            continue
        kind = BackendKind.OLLAMA if name == "Ollama" else BackendKind.OPENAI
        try:
            answer, _, _ = _ask(BackendSettings(name=name, kind=kind, url=f"http://127.0.0.1:{port}"))
        except httpx.HTTPError:
            continue
        models = _names(answer)
        if models is not None:
            found.append(ok("discovered", f"{name} on port {port}, {len(models)} models"))
    return found or [
        ok("discovered", "no server on the usual ports " + ", ".join(str(port) for port in usual))
    ]
