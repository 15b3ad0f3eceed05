"""What a made-up engine answers to the questions of single views."""

from benchmarks.console.fleet import Fleet


def answer(method: str, path: str, asked: dict[str, str], fleet: Fleet, second: int) -> object | None:
    """The answer as JSON will have it; None: nothing is known of such a path."""
    if method == "POST" and path.endswith(("/load", "/unload")):
        return {"model": path.split("/")[-2], "backend": "be-00", "plan": {"fits": True, "frees_bytes": 1}}
    if method != "GET" or path != "/api/v1/usage":
        return None
    groups = [
        {"name": fleet.at(second).models[index].model, "requests": 1000 - index, "cost": 3.0 - index / 10}
        for index in range(20)
    ]
    return {"by": asked.get("by", "model"), "since": "", "groups": groups, "totals": {}}
