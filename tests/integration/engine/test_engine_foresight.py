"""A model that is used regularly is loaded before it is asked for, also after a restart."""

from pathlib import Path

from tests.fakes.engine_process import EngineProcess, FleetProcess

MODEL, ENDPOINT = "sim-other:2b", "sim-small/sim-other:2b"


def test_what_was_used_before_a_restart_is_loaded_after_it(mended: FleetProcess, tmp_path: Path) -> None:
    """Warm-up from the ledger: nobody asks, and the model is loaded; switched off, it is not even thought of."""
    config = mended.config(only=["sim-small"])
    with EngineProcess(config, home=tmp_path) as engine, engine.listening() as happening:
        for _ in range(12):
            assert engine.chat(model=MODEL, max_tokens=2).status_code == 200
        engine.post("/api/v1/models/sim-other%3A2b/unload", {"drain_seconds": 5})
        happening.event("model.absent", ENDPOINT)
    with EngineProcess(config, home=tmp_path) as again, again.listening() as happening:
        happening.event("model.foreseen", ENDPOINT)
        happening.event("model.ready", ENDPOINT)
        seen = again.until(lambda now: now["models"][2]["residency"] == "ready")
        assert seen["totals"]["requests"] == 0
        assert seen["models"][2]["demand"] > 0
