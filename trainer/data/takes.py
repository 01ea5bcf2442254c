"""Reads the recordings of a plan as takes: one take per pair of files and knob setting."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from nemod.common.errors import did_you_mean
from trainer.data.dataset import Signal
from trainer.data.faults import DataError, Finding, find
from trainer.data.jumps import Jump
from trainer.data.plan import Plan, Source
from trainer.data.wav import Recording, read, resample

LENGTH_TOLERANCE_S = 0.05
"""[s] Buffers of a recorder: a smaller difference in length is trimmed silently."""

Progress = Callable[[int, int, str], None]
"""Called with the number of completed steps, the total, and the name of the next step."""


@dataclass(slots=True)
class Facts:
    """Measurements of a take; None where it cannot be measured, as for silence."""

    lag: int | None = None
    """[frames] Latency of wet."""
    shift: int = 0
    """[frames] Shift that was applied."""
    polarity: int | None = None
    """-1: the polarity of wet is inverted."""
    follows: float | None = None
    """0..1, share of wet's energy that depends linearly on dry."""
    jumps: tuple[Jump, ...] = ()
    """Jumps of the latency at which the take was not cut."""
    offset: int = 0
    """[frames] Latency of this piece minus that of the first piece."""


@dataclass(slots=True)
class Take:
    """A dry and a wet signal of one length, not yet aligned."""

    name: str
    split: str | None
    dry: Signal
    """[frames]"""
    wet: Signal
    """[frames]"""
    rate: int
    """[Hz]"""
    knobs: dict[str, float] = field(default_factory=dict)
    lag: int | None = None
    """[frames] Stated latency of wet; None: measured."""
    facts: Facts = field(default_factory=Facts)
    left_out: bool = False
    """Excluded from all splits, because it is silent."""
    piece_of: str | None = None
    """Name of the take that was cut at jumps of the latency; None: not cut."""


def open_takes(plan: Plan, progress: Progress | None = None) -> tuple[list[Take], list[Finding]]:
    """Return the takes of a plan, and the findings about its files.

    If files cannot be read, the other takes are returned.
    """
    takes: list[Take] = []
    findings: list[Finding] = []
    recordings: dict[str, Recording] = {}
    for index, source in enumerate(plan.sources):
        if progress is not None:
            progress(index, len(plan.sources), source.name)
        try:
            # Only the newest dry recording is kept: several settings may share one.
            dry = recordings.get(str(source.dry)) or read(source.dry, plan.channel, source.name)
            recordings = {str(source.dry): dry}
            wet = read(source.wet, plan.channel, source.name)
        except DataError as error:
            findings += error.findings
            continue
        made, wrong = _take(source, dry, wet, plan)
        takes += made
        findings += wrong
    rates = sorted({take.rate for take in takes})
    if len(rates) > 1:
        counts = [f"{sum(take.rate == rate for take in takes)} at {rate} Hz" for rate in rates]
        findings.append(find("set-rates-differ", rates=", ".join(counts)))
    return takes, findings


def _take(
    source: Source, dry: Recording, wet: Recording, plan: Plan
) -> tuple[list[Take], list[Finding]]:
    findings = [
        find(
            "channels",
            source.name,
            file=recording.path.name,
            channels=recording.channels,
            channel=plan.channel,
        )
        for recording in (dry, wet)
        if recording.channels > 1 and recording.knobs is None
    ]
    findings += [
        find("knob-channels", source.name, file=recording.path.name, channel=plan.channel)
        for recording in (dry, wet)
        if recording.knobs is not None and plan.channel > 1
    ]
    for side, recording in (("dry", dry), ("wet", wet)):
        bad = np.flatnonzero(~np.isfinite(recording.samples))
        if bad.size:
            findings.append(
                find(
                    "not-finite",
                    source.name,
                    side=side,
                    count=bad.size,
                    at=bad[0] / recording.rate,
                )
            )
    rate = plan.rate or dry.rate
    if plan.rate is None and dry.rate != wet.rate:
        findings.append(find("rates-differ", source.name, dry=dry.rate, wet=wet.rate))
        return [], findings
    old_rates = sorted({recording.rate for recording in (dry, wet)} - {rate})
    if old_rates:
        old = " and ".join(map(str, old_rates))
        findings.append(find("resampled", source.name, old=old, new=rate))
    before, after = (
        part.samples if part.rate == rate else resample(part.samples, part.rate, rate)
        for part in (dry, wet)
    )
    if abs(before.size - after.size) > LENGTH_TOLERANCE_S * rate:
        lengths = {"dry": before.size / rate, "wet": after.size / rate}
        findings.append(find("lengths-differ", source.name, **lengths))
    frames = min(before.size, after.size)
    whole = Take(
        source.name,
        source.split,
        before[:frames],
        after[:frames],
        rate,
        dict(source.knobs),
        source.lag,
    )
    if dry.knobs is None or not frames:
        return [whole], findings
    at = np.minimum(np.arange(frames) * dry.rate // rate, len(dry.knobs) - 1)
    return _by_steps(whole, dry.knobs[at]), findings


def _by_steps(whole: Take, positions: Signal) -> list[Take]:
    """Cut a take where the knob channels [frames, knobs] step."""
    steps = np.flatnonzero(np.any(np.diff(positions, axis=0), axis=1)) + 1
    edges = [0, *steps.tolist(), positions.shape[0]]
    return [
        Take(
            f"{whole.name}[{number}]",
            whole.split,
            whole.dry[start:stop],
            whole.wet[start:stop],
            whole.rate,
            {f"knob{n + 1}": float(value) for n, value in enumerate(positions[start])},
            whole.lag,
        )
        for number, (start, stop) in enumerate(pairwise(edges))
    ]


def knobs_of(takes: Sequence[Take]) -> tuple[str, ...]:
    """Return the names of all knobs of the takes, in order of appearance."""
    return tuple(dict.fromkeys(knob for take in takes for knob in take.knobs))


def knob_findings(takes: Sequence[Take], knobs: Sequence[str]) -> list[Finding]:
    """Return the findings about knob positions of a data set with these `knobs`."""
    findings = [finding for take in takes for finding in _positions(take, knobs)]
    learnt = [take for take in takes if take.split in (None, "train")]
    for knob in knobs:
        values = {take.knobs.get(knob) for take in learnt}
        if len(values) == 1 and None not in values:
            findings.append(find("knob-still", knob=knob, value=values.pop()))
    return findings


def _positions(take: Take, knobs: Sequence[str]) -> list[Finding]:
    findings = []
    given = take.knobs
    for knob, value in given.items():
        if knob not in knobs:
            near = did_you_mean(knob, [name for name in knobs if name not in given])
            allowed = ", ".join(knobs) or "(none)"
            findings.append(find("knob-name", take.name, knob=knob, near=near, knobs=allowed))
        elif not 0 <= value <= 1:
            findings.append(find("knob-range", take.name, knob=knob, value=f"{value:g}"))
    for knob in knobs:
        misspelt = any(did_you_mean(word, [knob]) for word in given if word not in knobs)
        if knob not in given and not misspelt:
            findings.append(find("knob-missing", take.name, knob=knob))
    return findings
