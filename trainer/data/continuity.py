"""Finds takes in which buffers were lost or inserted, and cuts them on request."""

from collections.abc import Sequence

import numpy as np

from trainer.data.align import SAME_FRAMES, measure
from trainer.data.dataset import Signal
from trainer.data.faults import Finding, find
from trainer.data.jumps import Jump, find_jumps, pieces
from trainer.data.levels import SILENT_PEAK
from trainer.data.plan import Plan
from trainer.data.takes import Facts, Progress, Take


def check_continuity(
    takes: list[Take], plan: Plan, progress: Progress | None = None
) -> list[Finding]:
    """Return the jumps of the latency in the takes.

    With `plan.cut_at_jumps`, a take with jumps is replaced by its pieces, in place.
    """
    findings: list[Finding] = []
    continuous: list[Take] = []
    for index, take in enumerate(takes):
        if progress is not None:
            progress(index, len(takes), f"jumps in {take.name}")
        jumps = _jumps(take)
        if jumps and plan.cut_at_jumps:
            parts = _parts(take, jumps)
            places = ", ".join(f"{jump.at / take.rate:.3f} s" for jump in jumps)
            findings.append(find("cut", take.name, count=len(parts), places=places))
            continuous += parts
            continue
        take.facts.jumps = tuple(jumps)
        findings += [_finding(take, jump) for jump in jumps]
        continuous.append(take)
    takes[:] = continuous
    return findings


def joined(takes: Sequence[Take]) -> tuple[Signal, Signal]:
    """Return dry and wet of the pieces of one take, or of a take without its jumps.

    Their latency is constant: that of the first piece.
    """
    if len(takes) == 1 and not takes[0].facts.jumps:
        return takes[0].dry, takes[0].wet
    return _concatenated([_without(take.facts.jumps, take) for take in takes])


def _jumps(take: Take) -> list[Jump]:
    peaks = (float(np.max(np.abs(part), initial=0.0)) for part in (take.dry, take.wet))
    if min(peaks) < SILENT_PEAK or take.dry.size <= SAME_FRAMES:
        return []
    whole = measure(take.dry, take.wet)
    jumps = find_jumps(take.dry, take.wet, take.rate, whole.frames)
    if not jumps:
        return []
    first = measure(*_without(jumps, take))
    # Consistent with `align.measure`: the latency of the track may differ by a filter's delay.
    by = first.frames - jumps[0].before
    if not first.sure or abs(by) > SAME_FRAMES:
        return jumps
    return [Jump(jump.at, jump.before + by, jump.after + by) for jump in jumps]


def _without(jumps: Sequence[Jump], take: Take) -> tuple[Signal, Signal]:
    """Return dry and wet without the jumps, at the latency before the first one."""
    parts = pieces(jumps, take.wet.size, take.rate)
    return _concatenated([piece.cut(take.dry, take.wet) for piece in parts])


def _concatenated(parts: Sequence[tuple[Signal, Signal]]) -> tuple[Signal, Signal]:
    return np.concatenate([dry for dry, _ in parts]), np.concatenate([wet for _, wet in parts])


def _finding(take: Take, jump: Jump) -> Finding:
    return find(
        "jump",
        take.name,
        seconds=jump.at / take.rate,
        at=jump.at,
        frames=jump.frames,
        before=jump.before,
        after=jump.after,
    )


def _parts(take: Take, jumps: Sequence[Jump]) -> list[Take]:
    """Return the pieces of a take as takes, at the latency of the first one."""
    parts: list[Take] = []
    for piece in pieces(jumps, take.wet.size, take.rate):
        dry, wet = piece.cut(take.dry, take.wet)
        if dry.size:
            name = f"{take.name}[{len(parts) + 1}]"
            parts.append(
                Take(
                    name,
                    take.split,
                    dry,
                    wet,
                    take.rate,
                    dict(take.knobs),
                    take.lag,
                    Facts(offset=piece.offset),
                    piece_of=take.name,
                )
            )
    return parts
