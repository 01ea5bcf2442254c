"""What is for training, what for validation and what for the test."""

from collections.abc import Mapping, Sequence

import numpy as np

from trainer.data.dataset import Pair
from trainer.data.faults import Finding, find
from trainer.data.plan import SPLITS, Part, Plan
from trainer.data.takes import Take

MIN_TRAIN_S = 1.0
SHORT_TRAIN_S = 15.0
GOOD_TRAIN_S = 60.0


def split(plan: Plan, takes: Sequence[Take]) -> dict[str, tuple[Pair, ...]]:
    """Return the pairs of each split.

    A take without a split is cut in three. Where no take is for validation, or for the test, the
    ends of those to train on are taken.
    """
    parts: dict[str, list[Pair]] = {name: [] for name in SPLITS}
    stated = {take.split for take in takes}
    missing = {name: part for name, part in plan.cut.items() if not stated & {name, None}}
    for take in takes:
        if take.split in (None, "train"):
            for name, pair in _cut(take, plan.cut if take.split is None else missing, plan):
                parts[name].append(pair)
        else:
            parts[str(take.split)].append(_pair(take, plan, 0, take.dry.size))
    return {name: tuple(pair for pair in parts[name] if pair.dry.size) for name in SPLITS}


def amounts(parts: Mapping[str, Sequence[Pair]], rate: int) -> list[Finding]:
    """Return what is said of the lengths of the splits."""
    seconds = sum(pair.dry.size for pair in parts["train"]) / rate
    findings = []
    if seconds < MIN_TRAIN_S:
        findings.append(find("too-short", seconds=seconds, least=MIN_TRAIN_S))
    elif seconds < SHORT_TRAIN_S:
        findings.append(find("short", seconds=seconds, least=GOOD_TRAIN_S))
    if not parts["validation"]:
        findings.append(find("no-validation"))
    if not parts["test"]:
        findings.append(find("no-test"))
    return findings


def _pair(take: Take, plan: Plan, start: int, stop: int) -> Pair:
    return Pair(
        take.name,
        np.ascontiguousarray(take.dry[start:stop]),
        np.ascontiguousarray(take.wet[start:stop]),
        tuple(take.knobs[knob] for knob in plan.knobs),
    )


def _cut(take: Take, wanted: Mapping[str, Part], plan: Plan) -> list[tuple[str, Pair]]:
    """Cut a take in time: training first, then validation, then test."""
    stop = total = take.dry.size
    pieces: list[tuple[str, Pair]] = []
    for name in ("test", "validation"):
        frames = wanted[name].frames(total, take.rate) if name in wanted else 0
        start = max(0, stop - frames)
        pieces.append((name, _pair(take, plan, start, stop)))
        stop = start
    return [("train", _pair(take, plan, 0, stop)), *reversed(pieces)]
