"""Made-up budgets for the console's tests."""

from orchestra_core.domain.budgets import BudgetView


def view(name: str, limit: float, settled: float, reserved: float = 0.0, **more: object) -> BudgetView:
    """A month of which a quarter is over; what is left follows."""
    given: dict[str, object] = {
        "scope": "everything", "period": "month", "kind": "hard", "over": "degrade", "currency": "USD",
        "starts": "2026-11-01T00:00:00.000Z", "resets": "2026-12-01T00:00:00.000Z",
        "resets_in": 0.75 * 30 * 86_400, "elapsed": 0.25,
    }  # fmt: skip
    given |= more
    used = settled / limit if limit else 1.0
    left = max(0.0, limit - settled - reserved)
    found = BudgetView(
        name=name, limit=limit, settled=settled, reserved=reserved, left=left, used=used, **given
    )  # type: ignore[arg-type]  # what is given has their types
    reached = max((share for share in found.thresholds if used >= share), default=None)
    return BudgetView(
        **{field: getattr(found, field) for field in BudgetView.__struct_fields__} | {"alert": reached}
    )


BUDGETS = (
    view("team", 50.0, 8.5, 0.75, configured=40.0),
    view("cloud", 20.0, 18.2, 0.4, scope="model gpt-5-mini", model="gpt-5-mini", unpriced=3),
    view(
        "each",
        2.0,
        2.0,
        scope="key ann",
        key="ann",
        period="day",
        resets_in=3 * 3600.0,
        elapsed=0.875,
        refused=12,
    ),
    view("wish", 100.0, 10.0, scope="task reasoning", task="reasoning", kind="soft", weight=1.2),
    view("new", 5.0, 0.0, known=False, scope="key bob", key="bob"),
)
