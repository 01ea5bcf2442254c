"""Splits takes into training, validation and test pairs."""

from collections.abc import Mapping, Sequence

import numpy as np

from trainer.data.cut import edges
from trainer.data.dataset import Pair
from trainer.data.faults import Finding, find
from trainer.data.levels import SILENT_POWER, power
from trainer.data.plan import SPLITS, Part, Plan
from trainer.data.takes import Take

MIN_TRAIN_S = 1.0
SHORT_TRAIN_S = 15.0
GOOD_TRAIN_S = 60.0
SEGMENT_FRAMES = 5_632
"""Default of the recipe: shorter recordings are not used for training."""


def split(plan: Plan, takes: Sequence[Take]) -> dict[str, tuple[Pair, ...]]:
    """Return the pairs of each split, without excluded takes.

    A take without a stated split is cut in three. If no take is for validation, or none for the
    test, the ends of the training takes are used.
    """
    takes = [take for take in takes if not take.left_out]
    parts: dict[str, list[Pair]] = {name: [] for name in SPLITS}
    stated = {take.split for take in takes}
    missing = {name: part for name, part in plan.cut.items() if not stated & {name, None}}
    for group in _recordings(takes):
        split = group[0].split
        if split in (None, "train"):
            for name, pair in _cut(group, plan.cut if split is None else missing, plan):
                parts[name].append(pair)
        else:
            parts[str(split)] += [_pair(take, plan, 0, take.dry.size) for take in group]
    return {name: tuple(pair for pair in parts[name] if pair.dry.size) for name in SPLITS}


def amounts(parts: Mapping[str, Sequence[Pair]], rate: int) -> list[Finding]:
    """Return the findings about the lengths of the splits and about silent splits."""
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
    return findings + _silent(parts, rate) + _short(parts["train"], rate)


def _silent(parts: Mapping[str, Sequence[Pair]], rate: int) -> list[Finding]:
    """Return the findings about splits that are silent and therefore have no ESR."""
    least = SILENT_POWER * power(pair.wet for pairs in parts.values() for pair in pairs)
    if not least:  # A set that is silent as a whole is reported per recording.
        return []
    findings = []
    for name, pairs in parts.items():
        if pairs and power(pair.wet for pair in pairs) <= least:
            seconds = sum(pair.wet.size for pair in pairs) / rate
            code = "test-silent" if name == "test" else "part-silent"
            part = "training" if name == "train" else name
            findings.append(find(code, part=part, seconds=seconds))
    return findings


def _short(pairs: Sequence[Pair], rate: int) -> list[Finding]:
    count = sum(pair.dry.size < SEGMENT_FRAMES for pair in pairs)
    if not count:
        return []
    least = SEGMENT_FRAMES / rate
    return [find("short-pairs", count=count, total=len(pairs), frames=SEGMENT_FRAMES, least=least)]


def _pair(take: Take, plan: Plan, start: int, stop: int) -> Pair:
    return Pair(
        take.name,
        np.ascontiguousarray(take.dry[start:stop]),
        np.ascontiguousarray(take.wet[start:stop]),
        tuple(take.knobs[knob] for knob in plan.knobs),
    )


def _recordings(takes: Sequence[Take]) -> list[list[Take]]:
    """Return the takes, grouped by the recording that they were cut from."""
    groups: dict[str, list[Take]] = {}
    for take in takes:
        groups.setdefault(take.piece_of or take.name, []).append(take)
    return list(groups.values())


def _cut(group: Sequence[Take], wanted: Mapping[str, Part], plan: Plan) -> list[tuple[str, Pair]]:
    """Cut a recording in time: training first, then validation, then test."""
    wet = np.concatenate([take.wet for take in group])
    first, second = edges(wet, wanted, group[0].rate)
    spans = {"train": (0, first), "validation": (first, second), "test": (second, wet.size)}
    found, begin = [], 0
    for take in group:
        for name, (start, stop) in spans.items():
            inner = max(0, start - begin), min(take.wet.size, stop - begin)
            if inner[0] < inner[1]:
                found.append((name, _pair(take, plan, *inner)))
        begin += take.wet.size
    return found
