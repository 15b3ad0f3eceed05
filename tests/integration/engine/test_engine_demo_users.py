"""Simulated users of a simulated fleet: they ask like clients do, and only where everything is simulated."""

from tests.fakes.engine_process import EngineProcess


def test_simulated_users_ask_and_are_answered() -> None:
    """Without anybody else there are requests, on several models; nothing of them is left at the end."""
    with EngineProcess("", "--users", "40", demo=True) as engine:
        seen = engine.until(lambda state: state["totals"]["successful"] >= 5, 40)
        assert seen["simulated"]
        served = [view for view in seen["models"] if view["calls"] or view["inflight"]]
        assert all(view["model"].startswith("sim-") for view in served)


def test_users_without_a_key_leave() -> None:
    """An engine that wants a key answers nobody without one, and they do not go on asking."""
    config = "[server]\nrequire_key = true\n[discovery]\nenabled = false\n[embedded]\nenabled = false\n"
    with EngineProcess(config, "--users", "1", demo=True) as engine:
        engine.log.wait_for("a simulated user was refused", 40)
