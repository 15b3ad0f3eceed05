"""What a model is predicted to need, and how measurements correct that."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestra_core.domain.catalog import BackendKind, ModelInfo
from orchestra_core.domain.memory import Basis, Shape
from orchestra_core.residency.estimate import (
    MIB,
    OTHER,
    Corrections,
    checkpoints,
    need,
    need_by_size,
    size_key,
)

MANAGED = BackendKind.MANAGED
# The embedded model: 18 layers of one KV head of 256, every sixth of them over the whole context.
GEMMA = Shape(
    weights=253_113_024,
    cache_per_token=3 * 2 * 256 * 2,
    window_per_token=15 * 2 * 256 * 2,
    window=512,
    layers=18,
    embedding=640,
    vocabulary=262_144,
)
# Resident MiB of real children (llama.cpp b11434 in xllamacpp 2026.10) by context and slots: when ready, and when two
# short questions were answered in each slot.
MEASURED = {
    (512, 1): (334.3, 350.3),
    (1024, 1): (341.8, 357.8),
    (1024, 2): (363.0, 402.7),
    (1024, 4): (399.0, 464.3),
    (2048, 2): (368.9, 408.6),
    (4096, 2): (380.9, 420.7),
    (8192, 4): (483.0, 549.1),
    (16384, 1): (389.8, 405.8),
}
ONE = "local/a"


def gemma(context: int = 4096, parallel: int = 2, shape: Shape | None = GEMMA) -> ModelInfo:
    return ModelInfo("a", size_bytes=GEMMA.weights, context=context, parallel=parallel, shape=shape)


@pytest.mark.parametrize(
    ("context", "parallel", "cache_mib"),
    # As llama.cpp's log says it: "KV buffer size" of the whole context and of the window.
    [(512, 1, 1.5 + 7.5), (2048, 2, 12 + 30), (4096, 2, 24 + 30), (8192, 4, 96 + 60)],
)
def test_cache_is_what_llama_allocates(context: int, parallel: int, cache_mib: float) -> None:
    """A window bounds the cache of the layers that have one, the context that of the others."""
    assert need(GEMMA, context, parallel).cache == cache_mib * MIB


@pytest.mark.parametrize(("size", "mib"), MEASURED.items())
def test_prediction_is_what_real_children_held(size: tuple[int, int], mib: tuple[float, float]) -> None:
    """The bare formula is within 5 % of the resident memory of real children; what use adds is within the growth."""
    found = need(GEMMA, *size)
    assert found.predicted == pytest.approx(mib[0] * MIB, rel=0.05)
    assert mib[1] * MIB < found.predicted + found.growth


def test_parts_add_up_to_what_is_reserved() -> None:
    """What is reserved is the corrected prediction, and room for the states that are kept in use."""
    found = need(GEMMA, 4096, 2, 1.5)
    assert (found.weights, found.cache, found.working) == (253_113_024, 56_623_104, 96_468_992)
    assert found.predicted == 406_205_120
    assert found.growth == (128 + 4 * 15) * MIB  # 4 checkpoints of 7.5 MiB in each of 2 slots
    assert found.bytes == 609_307_680 + found.growth
    assert (found.factor, found.basis) == (1.5, Basis.METADATA)


@pytest.mark.parametrize(
    ("shape", "parallel", "kept"),
    [(GEMMA, 1, 8), (GEMMA, 2, 4), (GEMMA, 16, 2), (Shape(weights=10**9), 2, 32)],
)
def test_kept_states_stay_within_their_bytes(shape: Shape, parallel: int, kept: int) -> None:
    """64 MiB of checkpoints for all slots, two for each at least; models without windows need none."""
    assert checkpoints(shape, 4096, parallel) == kept


def test_an_engine_that_makes_room_for_all_logits_is_predicted_with_it() -> None:
    """Half a thousand tokens of logits are most of what a large vocabulary costs elsewhere."""
    shape = Shape(weights=10**9, cache_per_token=131072, embedding=4096, vocabulary=128256)
    found = need(shape, 4096, 1, engine=OTHER)
    assert found.cache == 131072 * 4096
    assert found.working == 4 * 512 * (14 * 4096 + 128256) + 2 * 512 * 4096
    assert found.growth == 0


def test_a_bare_size_has_a_prior_for_its_cache() -> None:
    """8e9 parameters are taken to need 128 KiB of cache per token; a size alone stands for its parameters."""
    found = need_by_size(4_800_000_000, 8_000_000_000, 4096, 1, 1.45)
    assert found.cache == 128 * 1024 * 4096
    assert found.bytes == -(-(4_800_000_000 + 536_870_912 + 64 * MIB) * 145 // 100)
    assert found.basis is Basis.SIZE
    assert need_by_size(4_800_000_000, None, 4096, 1, 1.45) == found


def test_what_nobody_knows_is_not_guessed() -> None:
    """Without shape and size there is no prediction."""
    assert Corrections().need(BackendKind.OPENAI, ONE, ModelInfo("a")) is None


def test_before_anything_is_measured_predictions_are_raised() -> None:
    """Ten per cent on metadata; a size that is told 30 % too low must fit too."""
    corrections = Corrections()
    assert corrections.factor(MANAGED, Basis.METADATA) == 1.10
    assert corrections.factor(MANAGED, Basis.SIZE) > 1 / 0.7
    assert corrections.error(MANAGED) is None
    assert corrections.need(MANAGED, ONE, gemma()).factor == 1.10
    assert corrections.need(MANAGED, ONE, gemma(shape=None)).basis is Basis.SIZE


def test_a_model_measured_before_needs_what_it_was_measured_with() -> None:
    """The least of its measurements in the same size and what it grows by; another size is another model."""
    corrections = Corrections()
    key = size_key(gemma())
    for measured in (400 * MIB, 440 * MIB, 410 * MIB):
        corrections.observe(MANAGED, ONE, 420 * MIB, measured, size=key)
    found = corrections.need(MANAGED, ONE, gemma())
    assert (found.basis, found.factor) == (Basis.MEASURED, 1.02)
    assert found.bytes == -(-400 * MIB * 102 // 100) + found.growth
    assert corrections.need(MANAGED, ONE, gemma(8192)).basis is Basis.METADATA


def test_a_model_measured_on_another_machine_is_not_guessed_anew() -> None:
    """In the same size and by a server of the same kind it needs about as much; nothing else does."""
    corrections = Corrections()
    corrections.observe(MANAGED, ONE, 420 * MIB, 400 * MIB, size=size_key(gemma()))
    there = ONE.replace("local", "other")
    found = corrections.need(MANAGED, there, gemma())
    assert (found.basis, found.factor) == (Basis.MEASURED, 1.10)
    assert found.bytes == pytest.approx(440 * MIB + found.growth, abs=1)
    assert corrections.need(MANAGED, there, gemma(8192)).basis is Basis.METADATA
    assert corrections.need(BackendKind.LLAMACPP, there, gemma()).basis is Basis.METADATA
    stranger = msgspec.structs.replace(gemma(), name="stranger")
    assert corrections.need(MANAGED, "other/stranger", stranger).basis is Basis.METADATA


def test_growth_in_use_is_no_error_and_is_not_reserved_twice() -> None:
    """A model measured again and again while it grows as predicted needs what it was predicted to grow to."""
    corrections = Corrections()
    need_before = corrections.need(MANAGED, ONE, gemma())
    for grown in (0, need_before.growth // 2, need_before.growth):
        corrections.observe(
            MANAGED, ONE, need_before.predicted, need_before.predicted + grown, size=size_key(gemma())
        )
    assert corrections.error(MANAGED) == 0
    assert corrections.factor(MANAGED, Basis.METADATA) == 1.10
    after = corrections.need(MANAGED, ONE, gemma())
    assert after.bytes == -(-(need_before.predicted + after.growth) * 102 // 100)
    corrections.observe(MANAGED, ONE, need_before.predicted, 10**9, size=size_key(gemma()))
    assert corrections.need(MANAGED, ONE, gemma()).bytes == 1_020_000_000
    assert corrections.error(MANAGED) > 0.4


def test_three_models_that_fit_well_lower_the_factor() -> None:
    """Measurements close to each other are believed; those of one model count once."""
    corrections = Corrections()
    for _ in range(3):
        corrections.observe(MANAGED, ONE, 1000, 990)
    assert corrections.factor(MANAGED, Basis.METADATA) == 1.10
    for name, measured in (("b", 1000), ("c", 1010)):
        corrections.observe(MANAGED, name, 1000, measured)
    assert corrections.factor(MANAGED, Basis.METADATA) == pytest.approx(1.0 + 6.96 * 0.01 * (4 / 3) ** 0.5)


def test_three_models_far_apart_leave_the_factor_as_it_was() -> None:
    """A size may be told too low by the next one though the last three were told too high."""
    corrections = Corrections()
    for name, measured in (("a", 800), ("b", 950), ("c", 700)):
        corrections.observe(BackendKind.OLLAMA, name, 1000, measured, basis=Basis.SIZE)
    assert corrections.factor(BackendKind.OLLAMA, Basis.SIZE) == 1.45


def test_one_prediction_that_was_too_low_raises_the_next() -> None:
    """The worst ratio seen is never undercut."""
    corrections = Corrections()
    corrections.observe(MANAGED, ONE, 1000, 1300)
    assert corrections.factor(MANAGED, Basis.METADATA) == 1.3
    assert corrections.factor(BackendKind.OLLAMA, Basis.METADATA) == 1.10


def test_the_mean_error_of_an_engine_is_told() -> None:
    """The error is of the formula alone, relative to what was measured."""
    corrections = Corrections()
    corrections.observe(MANAGED, ONE, 900, 1000)
    corrections.observe(MANAGED, "local/b", 1200, 1000)
    assert corrections.error(MANAGED) == pytest.approx(0.15)
    assert corrections.need(MANAGED, ONE, gemma()).error == pytest.approx(0.15)


def test_death_for_want_of_memory_raises_the_need() -> None:
    """1.3 times as much after each of the first three deaths; being seen alive takes it back slowly."""
    corrections = Corrections()
    before = corrections.need(MANAGED, ONE, gemma())
    corrections.raise_(ONE)
    assert corrections.need(MANAGED, ONE, gemma()).factor == pytest.approx(1.10 * 1.3)
    assert corrections.need(MANAGED, "local/b", gemma()) == before
    for _ in range(5):
        corrections.raise_(ONE)
    assert corrections.need(MANAGED, ONE, gemma()).factor == pytest.approx(1.10 * 1.3**3)
    corrections.observe(MANAGED, ONE, before.predicted, before.predicted, size=size_key(gemma()))
    assert corrections.need(MANAGED, ONE, gemma()).factor == pytest.approx(1.02 * (1 + 0.998 * (1.3**3 - 1)))


@given(st.lists(st.floats(0.3, 3.0), min_size=1, max_size=150))
def test_the_factor_is_never_below_what_was_seen_lately(ratios: list[float]) -> None:
    """Of the last hundred models at most one needed more than the factor allows."""
    corrections = Corrections()
    for number, ratio in enumerate(ratios):
        corrections.observe(MANAGED, f"local/{number}", 10**9, int(ratio * 10**9))
    factor = corrections.factor(MANAGED, Basis.METADATA)
    assert factor >= 1.02
    assert sum(int(ratio * 10**9) > factor * 10**9 + 1 for ratio in ratios[-100:]) <= 1


@given(st.integers(256, 200_000), st.integers(1, 64), st.integers(1, 4096))
def test_more_context_or_slots_never_need_less(context: int, parallel: int, more: int) -> None:
    """Predictions grow with what is asked for."""
    assert need(GEMMA, context + more, parallel).bytes >= need(GEMMA, context, parallel).bytes
    assert need(GEMMA, context, parallel + 1).predicted > need(GEMMA, context, parallel).predicted
