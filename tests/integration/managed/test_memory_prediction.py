"""What models are predicted to need against what real children of llama.cpp take."""

from pathlib import Path

import pytest

from orchestra_core.domain.catalog import BackendKind, ModelInfo
from orchestra_core.domain.memory import Basis, Need
from orchestra_core.residency.estimate import Corrections, size_key
from orchestra_core.upstream.launch import ManagedModel
from orchestra_core.upstream.managed import Managed

pytestmark = pytest.mark.model
KIND = BackendKind.MANAGED
# Context and slots: each is another model to the backend, of the same weights.
FIRST = {"small": (512, 1), "usual": (2048, 2), "large": (8192, 4)}
NEXT = {"wide": (1024, 4), "long": (16384, 1)}


def ignore(text: str) -> None:
    """Progress nobody looks at."""


async def look(managed: Managed, model: str) -> ModelInfo:
    return next(info for info in await managed.models() if info.name == model)


async def measured(managed: Managed, model: str, corrections: Corrections) -> tuple[Need, int]:
    """What it was predicted to need before it was loaded, and what it held then; learned from, and unloaded."""
    before = corrections.need(KIND, f"local/{model}", await look(managed, model))
    assert before is not None
    await managed.load(model, ignore)
    info = await look(managed, model)
    assert info.memory_bytes is not None
    corrections.observe(KIND, f"local/{model}", before.predicted, info.memory_bytes, size=size_key(info))
    await managed.unload(model)
    held = info.memory_bytes / 1e6
    print(f"{model}: {before.predicted / 1e6:.1f} MB x {before.factor:.3f} predicted, {held:.1f} MB held")
    return before, info.memory_bytes


async def test_after_three_loads_predictions_are_within_15_per_cent(make, gemma_path: Path) -> None:
    """Three models are loaded and learned from; the next ones in other sizes take what they were predicted to."""
    models = {
        name: ManagedModel(path=gemma_path, context=context, parallel=parallel, plain_chat=False)
        for name, (context, parallel) in (FIRST | NEXT).items()
    }
    managed = make(models)
    corrections = Corrections()
    for name in FIRST:
        need, held = await measured(managed, name, corrections)
        assert need.basis is Basis.METADATA
        assert held <= need.bytes
    for name in NEXT:
        need, held = await measured(managed, name, corrections)
        assert need.predicted * need.factor == pytest.approx(held, rel=0.15)
        assert held <= need.bytes
    error = corrections.error(KIND)
    assert error is not None
    assert error < 0.10
    again = corrections.need(KIND, "local/usual", await look(managed, "usual"))
    assert again is not None
    assert again.basis is Basis.MEASURED
