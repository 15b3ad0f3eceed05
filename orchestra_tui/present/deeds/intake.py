"""Whether the engine takes new requests at all."""

from orchestra_tui.present.deeds.deed import Call, Deed, Question, Refusal, Risk
from orchestra_tui.present.picture import Picture
from orchestra_tui.present.plans import Fact


def pause_intake() -> Deed:
    """New requests get 503, whoever sends them; what runs goes on."""
    calls = (Call("/api/v1/intake/pause", {}, ""),)
    return Deed("pause-intake", ("intake",), _pause, calls, "intake is paused: new requests get 503")


def resume_intake() -> Deed:
    """New requests are taken again."""
    calls = (Call("/api/v1/intake/resume", {}, ""),)
    return Deed("resume-intake", ("intake",), _resume, calls, "new requests are taken again")


def _pause(picture: Picture) -> Question | Refusal:
    seen = picture.snapshot
    if seen is None or seen.intake_paused:
        return Refusal("pause-intake: it is paused already" if seen else "pause-intake: nothing is known yet")
    facts: list[Fact] = [
        ("stops", f"all new requests, {seen.totals.requests_per_minute:.0f} in the last minute: 503", "bad"),
        ("work", f"{seen.totals.inflight} in flight go on", ""),
        ("until", "it is resumed (:resume-intake) or the engine is restarted", ""),
    ]
    typed = seen.environment.name or "pause"
    return Question("Refuse all new requests?", tuple(facts), Risk.HIGH, typed)


def _resume(picture: Picture) -> Question | Refusal:
    if picture.snapshot is None or not picture.snapshot.intake_paused:
        return Refusal("resume-intake: it is not paused")
    facts: list[Fact] = [("then", "new requests are taken at once", "")]
    return Question("Take new requests again?", tuple(facts), yes="Resume")
