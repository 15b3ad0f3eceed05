"""What is loaded where: on demand, by request, one at a time, and never at the cost of somebody being served."""

import concurrent.futures

from tests.fakes.engine_process import EngineProcess, FleetProcess
from tests.integration.engine.test_engine_faults import FRAMED, leaving

MODEL, OTHER = "sim-small:1b", "sim-other:2b"
ENDPOINT, OTHER_ENDPOINT = f"sim-small/{MODEL}", f"sim-small/{OTHER}"
LOAD, UNLOAD = "/api/v1/models/sim-other%3A2b/load", "/api/v1/models/sim-other%3A2b/unload"


def alone(fleet: FleetProcess) -> EngineProcess:
    """An engine over the backend that has room for one of its two models at a time."""
    fleet.load("sim-small", MODEL)
    return EngineProcess(fleet.config(only=["sim-small"]))


def test_a_load_says_what_it_evicts_and_evicts_it(mended: FleetProcess) -> None:
    """The plan names the idle model and its memory; it is gone before the load begins at the backend."""
    with alone(mended) as engine, engine.listening() as happening:
        plan = engine.post(LOAD).json()["plan"]
        assert plan["evicts"] == [ENDPOINT]
        assert plan["frees_bytes"] > 1_000_000_000
        assert (plan["fits"], plan["pool"], plan["total_bytes"]) == (True, "sim-small", 3_000_000_000)
        assert plan["total_bytes"] >= plan["needs_bytes"] >= 2_268_435_456, "weights and cache at least"
        happening.event("model.absent", ENDPOINT)
        happening.event("model.ready", OTHER_ENDPOINT)
        models = mended.state("sim-small")["models"]
        assert (models[MODEL]["residency"], models[OTHER]["residency"]) == ("absent", "ready")


def test_a_request_for_a_model_that_is_not_loaded_waits_for_it(mended: FleetProcess) -> None:
    """The client names it and gets its answer, as it would from the backend itself."""
    with alone(mended) as engine:
        for name in (OTHER, MODEL, OTHER):
            answer = engine.chat(model=name, max_tokens=4)
            assert answer.status_code == 200, answer.text
            assert answer.json()["model"] == name
            assert answer.headers["x-orchestra-attempts"] == "1"


def test_a_busy_model_is_never_evicted(mended: FleetProcess) -> None:
    """While it serves somebody a load that needs its room waits, and says for whom; afterwards it is done."""
    with alone(mended) as engine, engine.listening() as happening:
        mended.fault("sim-small", "slow", factor=3000)
        with leaving(engine, FRAMED):
            mended.busy("sim-small", 1)
            waits = engine.post(LOAD)
            assert (waits.status_code, waits.json()["plan"]["waits_for"]) == (202, [ENDPOINT])
            assert mended.state("sim-small")["running"] == 1
        mended.busy("sim-small", 0)
        mended.repair()
        happening.event("model.ready", OTHER_ENDPOINT)


def test_a_load_under_way_is_joined_and_not_repeated(mended: FleetProcess) -> None:
    """A dozen clients ask at once for what is not loaded: one load, twelve answers; a second order is refused."""
    with alone(mended) as engine:
        with engine.listening() as happening:
            engine.post("/api/v1/models/sim-small%3A1b/unload")
            happening.event("model.absent", ENDPOINT)
        mended.fault("sim-small", "hang")
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            asked = [pool.submit(engine.chat, model=OTHER, max_tokens=2) for _ in range(12)]
            engine.until(
                lambda now: (
                    {one["id"]: one["residency"] for one in now["models"]}[OTHER_ENDPOINT] == "loading"
                )
            )
            again = engine.post(LOAD)
            assert (again.status_code, again.json()["error"]["code"]) == (409, "busy")
            assert "loading" in again.json()["error"]["message"]
            early = engine.post(UNLOAD)
            assert (early.status_code, early.json()["error"]["code"]) == (409, "busy")
            mended.repair()
            assert {answer.result().status_code for answer in asked} == {200}
        snapshot = engine.until(lambda now: now["totals"]["requests"] == 12)
        kinds = [event["kind"] for event in snapshot["events"] if event["subject"] == OTHER_ENDPOINT]
        assert kinds.count("model.loading") == kinds.count("model.ready") == 1


def test_unloading_waits_for_who_is_being_served(mended: FleetProcess) -> None:
    """The running stream ends in full before the model goes; who comes meanwhile waits and has it loaded again."""
    with alone(mended) as engine, engine.listening() as happening:
        mended.fault("sim-small", "slow", factor=10)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            asked = pool.submit(engine.chat, model=MODEL, stream=True, max_tokens=30)
            mended.busy("sim-small", 1)
            path = "/api/v1/models/sim-small%3A1b/unload"
            refused = engine.post(path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (409, "busy")
            assert "drain_seconds" in refused.json()["error"]["message"]
            planned = engine.post(path, {"dry_run": True})
            assert (planned.status_code, planned.json()["dry_run"]) == (200, True)
            assert engine.post(path, {"drain_seconds": 30}).status_code == 202
            late = engine.chat(model=MODEL, max_tokens=2)
            assert asked.result().text.endswith("data: [DONE]\n\n")
            assert late.status_code == 200, late.text
        for kind in ("unloading", "absent", "loading", "ready"):
            happening.event(f"model.{kind}", ENDPOINT)
