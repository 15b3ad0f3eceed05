"""What was spent on a budget, as the ledger has it."""

from orchestra_core.domain.budgets import Budget
from orchestra_core.storage.store import Connection


def spent_since(connection: Connection, budget: Budget, first_day: int) -> list[tuple[str, float]]:
    """Keys, and what their requests that count have cost from this local day (an ordinal) on, as far as it is known."""
    where, values = "day >= ? AND cost > 0", list[object]([first_day])
    for column, value in (("task", budget.task), ("model_served", budget.model)):
        if value is not None:
            where += f" AND {column} = ?"
            values.append(value)
    rows = connection.execute(
        f"SELECT key, SUM(cost) FROM requests WHERE {where} GROUP BY key",
        values,
    )
    return [(str(key), float(cost)) for key, cost in rows]
