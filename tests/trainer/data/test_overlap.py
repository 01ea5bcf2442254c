"""Copies are found at any offset, at a cost proportional to the length of the data set."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy import signal

from tests.trainer.data.conftest import RATE, Sound, pedal, plucked
from trainer.data import overlap
from trainer.data.plan import Plan, Source
from trainer.data.takes import Take

PLAN = Plan("set", (Source("pair", Path("dry"), Path("wet")),))


def take(name: str, split: str, dry: Sound, wet: Sound) -> Take:
    return Take(name, split, dry.astype(np.float32), wet.astype(np.float32), RATE)


def correlation(part: Sound, whole: Sound) -> float:
    """Return the largest correlation of a part with the whole at any offset, in float64."""
    match = signal.oaconvolve(whole, part[::-1], mode="valid")
    energy = signal.oaconvolve(whole**2, np.ones(part.size), mode="valid")
    return float(np.max(match / np.sqrt(np.maximum(energy, 1e-9) * (part @ part))))


@pytest.mark.parametrize("kind", ["plucked", "noise", "sweep"])
@pytest.mark.parametrize("noise", [0.0, 2.0**-16, 5e-3])
def test_a_copy_is_found_at_another_level_and_in_noise(kind: str, noise: float) -> None:
    """The correlation, computed here at every offset, is above the limit."""
    random = np.random.default_rng(1)
    sounds: dict[str, Callable[[], Sound]] = {
        "plucked": lambda: plucked(4, 10),
        "noise": lambda: 0.2 * random.standard_normal(10 * RATE),
        "sweep": lambda: 0.5 * signal.chirp(np.arange(10 * RATE) / RATE, 20, 10, 9_000),
    }
    dry = sounds[kind]()
    wet = pedal(dry)
    here = slice(12_345, 110_000)
    copied = [
        0.7 * (part[here] + noise * np.std(part) * random.standard_normal(97_655))
        for part in (dry, wet)
    ]
    assert correlation(copied[0], dry) > overlap.COPY_CORRELATION
    (found,) = overlap.overlaps(PLAN, [take("a", "train", dry, wet), take("b", "test", *copied)])
    assert (found.where, found.figures["other"]) == ("b", "a")


def test_the_copy_is_found_among_pairs_that_share_a_dry_recording() -> None:
    """One of twenty devices with the same input is also in the test set."""
    dry = plucked(4, 3)
    devices = [pedal(dry, drive) for drive in np.geomspace(1.0, 100.0, 20)]
    takes = [take(f"{n}", "train", dry, wet) for n, wet in enumerate(devices)]
    takes.append(take("again", "test", dry, devices[13]))
    takes.append(take("another", "test", dry, pedal(-dry, 7.7) ** 2))
    (found,) = overlap.overlaps(PLAN, takes)
    assert (found.where, found.figures["other"]) == ("again", "13")


def test_the_cost_does_not_grow_quadratically(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frame-by-frame comparisons are limited to the candidates of four landmarks of four pieces."""
    compared = []
    original = overlap._correlation

    def counted(*arguments: object) -> float:
        compared.append(1)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(overlap, "_correlation", counted)
    dry = plucked(2, 60)
    wet = pedal(dry)
    takes = [
        take(
            f"{n}",
            {8: "validation", 9: "test"}.get(n % 10, "train"),
            dry[n * RATE : (n + 1) * RATE],
            wet[n * RATE : (n + 1) * RATE],
        )
        for n in range(60)
    ]
    seen: list[tuple[int, int]] = []
    assert overlap.overlaps(PLAN, takes, lambda done, total, name: seen.append((done, total))) == []
    # Comparing four pieces of each of twelve files with 48 or 54 others would be 2448.
    assert len(compared) <= 12 * 16 * overlap.CANDIDATES
    assert seen == [(n, 60) for n in range(60)]
