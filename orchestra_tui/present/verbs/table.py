"""All verbs."""

from orchestra_tui.present.verbs import backends, budgets, drills, goto, models
from orchestra_tui.present.verbs.verb import Verb

VERBS: tuple[Verb, ...] = (*models.VERBS, *backends.VERBS, *drills.VERBS, *budgets.VERBS, *goto.VERBS)
BY_NAME = {verb.name: verb for verb in VERBS}
