"""Runs all checks of the sound of a data set, and corrects the latency."""

from collections.abc import Mapping, Sequence

import numpy as np

from trainer.data import levels
from trainer.data.align import (
    IDLE_FRAMES,
    MIN_QUALITY,
    SAME_FRAMES,
    Lag,
    drift,
    measure,
    shifted,
)
from trainer.data.continuity import joined
from trainer.data.faults import Finding, find
from trainer.data.levels import decibels, rms
from trainer.data.overlap import overlaps
from trainer.data.plan import Plan
from trainer.data.relate import coherence, dynamics, echo, steadiness, wire
from trainer.data.takes import Progress, Take

MOSTLY_SILENT_SHARE = 0.5
DROPOUT_S = 0.3
DROPOUT_PEAK = 1e-5
DC_SHARE, DC_LEAST = 0.05, 2e-3
WIRE_REST = 1e-3
UNRELATED_COHERENCE, UNRELATED_PHASE = 0.05, 0.3
INVERTED_CORRELATION = -0.2
MODULATED_STEADINESS = 0.925
"""Long-term over short-term steadiness: at least 0.94 without modulation, less with it."""
DIGITAL_SILENCE = 3e-5
TAIL_RISE_DB = 15.0
TAIL_BELOW_DB = 50.0


def examine(takes: Sequence[Take], plan: Plan, progress: Progress | None = None) -> list[Finding]:
    """Align the takes in place and return the findings."""
    silent = {take.name: found for take in takes if (found := _silence(take)) is not None}
    findings = _silent_takes(takes, silent)
    audible = [take for take in takes if take.name not in silent]
    for take in audible:
        findings += _signal_findings(take)
    measured: dict[int, Lag] = {}
    for index, take in enumerate(audible):
        if progress is not None:
            progress(index, 2 * len(audible), f"latency of {take.name}")
        if take.dry.size > SAME_FRAMES:
            # Pieces of one recording share a latency; some are too short to measure it alone.
            whole = [take]
            if take.piece_of is not None:
                whole = [one for one in audible if one.piece_of == take.piece_of]
            lag = measured[id(take)] = measured.get(id(whole[0])) or measure(*joined(whole))
            if lag.sure:
                take.facts.lag, take.facts.polarity = lag.frames, lag.sign
    drifting = _drifts(audible, measured)
    findings += drifting
    if plan.align:
        findings += _align(takes, measured)
    if plan.invert:
        for take in takes:
            take.wet = -take.wet
    for index, take in enumerate(audible):
        if progress is not None:
            progress(len(audible) + index, 2 * len(audible), take.name)
        if not take.facts.jumps and all(finding.where != take.name for finding in drifting):
            findings += _relation_findings(take, measured.get(id(take)), plan.invert)
    explained = {"unrelated", "identical", "drift"} & {found.fault.code for found in findings}
    if explained:
        findings = [found for found in findings if found.fault.code != "latency-unknown"]
    findings += overlaps(plan, takes, progress)
    return findings


def _silent_takes(takes: Sequence[Take], silent: Mapping[str, Finding]) -> list[Finding]:
    """Return the findings about silent takes; exclude takes that the set does not need.

    A silent take is an error only if its split is required and has no other take.
    """
    if len(silent) == len(takes) and all(f.fault.code == "knob-silent" for f in silent.values()):
        # A knob at 0 does not explain silence in every recording: no signal was recorded.
        peaks = [decibels(float(np.max(np.abs(take.wet), initial=0.0))) for take in takes]
        return [find("wet-silent", t.name, peak=p) for t, p in zip(takes, peaks, strict=True)]
    audible_splits = {take.split for take in takes if take.name not in silent}
    findings = []
    for take in takes:
        finding = silent.get(take.name)
        if finding is None or finding.fault.code == "knob-silent":
            findings += [finding] if finding else []
        elif audible_splits & {take.split, None if take.split else "train"}:
            take.left_out = True
            side = finding.fault.code.partition("-")[0]
            findings.append(find("left-out", take.name, side=side, **finding.figures))
        elif take.split != "test" or not audible_splits:
            findings.append(finding)  # `split.amounts` reports a silent test.
    return findings


def _silence(take: Take) -> Finding | None:
    """Return the finding of a take with a silent signal, or None."""
    dry, wet = (float(np.max(np.abs(part), initial=0.0)) for part in (take.dry, take.wet))
    if dry < levels.SILENT_PEAK:
        return find("dry-silent", take.name, peak=decibels(dry))
    if wet < levels.SILENT_PEAK and take.knobs:
        knobs = ", ".join(f"{knob} {value:g}" for knob, value in take.knobs.items())
        return find("knob-silent", take.name, knobs=knobs)
    if wet < levels.SILENT_PEAK:
        return find("wet-silent", take.name, peak=decibels(wet))
    return None


def _signal_findings(take: Take) -> list[Finding]:
    """Return the findings about each of the two signals."""
    findings = []
    for side, samples, low in (("dry", take.dry, 0.05), ("wet", take.wet, levels.HIGH)):
        clipped = levels.clipping(samples, low)
        if clipped is not None:
            findings.append(
                find(
                    f"{side}-clipped",
                    take.name,
                    count=clipped.count,
                    runs=clipped.runs,
                    longest=clipped.longest,
                    at=clipped.at / take.rate,
                )
            )
        mean, level = float(np.mean(samples, dtype=np.float64)), rms(samples)
        if abs(mean) > max(DC_LEAST, DC_SHARE * level):
            percent = 100 * abs(mean) / level
            findings.append(find("dc", take.name, side=side, mean=mean, percent=percent))
    quiet = levels.quiet_frames(take.dry, take.rate)
    if quiet.size and quiet.mean() > MOSTLY_SILENT_SHARE:
        places = levels.stretches(quiet, 0.0)
        first, last = max(places, key=lambda place: place[1] - place[0])
        findings.append(
            find(
                "mostly-silent",
                take.name,
                percent=100 * float(quiet.mean()),
                longest=(last - first) * levels.FRAME_S,
                at=first * levels.FRAME_S,
            )
        )
    return findings


def _drifts(takes: Sequence[Take], measured: dict[int, Lag]) -> list[Finding]:
    findings = []
    for take in takes:
        lag = measured.get(id(take))
        # A drifting recording as a whole has no clear latency, but its windows have one.
        related = lag is not None and lag.quality >= MIN_QUALITY
        moved = drift(*joined([take]), take.rate, lag.frames) if lag and related else None
        if moved is not None:
            findings.append(
                find("drift", take.name, parts=moved.parts, first=moved.first, last=moved.last)
            )
    return findings


def _align(takes: Sequence[Take], measured: dict[int, Lag]) -> list[Finding]:
    """Shift the takes by their latency; takes of one interface by a common shift.

    A tone control moves the measured peak by some frames. With a shift per take, the model would
    have to learn a delay that depends on the knob.
    """
    sure = [lag for lag in measured.values() if lag.sure]
    if not sure and all(take.lag is None for take in takes):
        related = [lag for lag in measured.values() if lag.quality >= MIN_QUALITY]
        return [find("latency-unknown", first=lag.frames, second=lag.other) for lag in related[:1]]
    common = round(float(np.median([lag.frames for lag in sure]))) if sure else 0
    near = [lag.edge for lag in sure if abs(lag.frames - common) <= SAME_FRAMES]
    shift = _causal_shift(common, round(float(np.median(near)))) if near else 0
    applied: list[tuple[Take, int]] = []
    for take in takes:
        lag = measured.get(id(take))
        frames, by = common, shift
        if take.lag is not None:
            frames = by = take.lag
        elif lag and lag.sure and abs(lag.frames - common) > SAME_FRAMES:
            frames, by = lag.frames, _causal_shift(lag.frames, lag.edge)
        applied.append((take, frames))
        take.facts.shift = by
        if by:
            take.dry, take.wet = shifted(take.dry, take.wet, by)
    if len({take.facts.shift for take in takes}) == 1:
        # One latency of the whole set is reported once.
        return _latency(takes[0], common if sure else takes[0].facts.shift, len(takes) == 1)
    values = [frames for _, frames in applied]
    findings = [find("latencies-differ", low=min(values), high=max(values))]
    for take, frames in applied:
        findings += _latency(take, frames, alone=True)
    return findings


def _latency(take: Take, frames: int, alone: bool) -> list[Finding]:
    """Return the finding about a latency of `frames` of this take, or of the whole set."""
    by = take.facts.shift
    if not by:
        return []
    return [
        find(
            "latency" if by > 0 else "early",
            take.name if alone else "",
            frames=abs(frames),
            milliseconds=1000 * abs(frames) / take.rate,
            shift=by,
        )
    ]


def _causal_shift(lag: int, edge: int) -> int:
    """Return the shift of wet [frames] that keeps the response causal."""
    if abs(lag) <= IDLE_FRAMES:
        return 0
    return max(0, edge) if lag > 0 else edge


def _relation_findings(take: Take, lag: Lag | None, inverted: bool) -> list[Finding]:
    """Return the findings about the relation of the two aligned signals."""
    dry, wet, rate, name = take.dry, take.wet, take.rate, take.name
    if dry.size < rate // 4:
        return []
    follows = take.facts.follows = coherence(dry, wet)
    steady = steadiness(dry, wet, rate)
    if follows < UNRELATED_COHERENCE and (steady is None or steady.short < UNRELATED_PHASE):
        return [find("unrelated", name, percent=100 * follows)]
    plain = wire(dry, wet)
    if plain.rest < WIRE_REST:
        gain = decibels(abs(plain.gain))
        return [find("identical", name, gain=gain, rest=-decibels(plain.rest))]
    moves = dynamics(dry, wet, rate)
    if moves is not None and follows < 0.985:
        crest = moves.wet_crest - moves.dry_crest
        if (
            (crest > 7 and moves.ratio > 0.9)
            or (crest > 4 and moves.ratio > 1.15)
            or (crest > 2 and moves.ratio > 1.7 and moves.agreement > 0.6)
        ):
            return [
                find(
                    "swapped",
                    name,
                    ratio=moves.ratio,
                    dry_crest=moves.dry_crest,
                    wet_crest=moves.wet_crest,
                )
            ]
    findings = []
    if lag is not None and lag.sure and lag.sign < 0 and not inverted:
        correlation = float(np.corrcoef(dry, wet)[0, 1])
        if correlation < INVERTED_CORRELATION:
            findings.append(find("polarity", name, correlation=correlation))
    # Modulation would also be measured as an echo and as noise.
    modulated = steady is not None and steady.long < MODULATED_STEADINESS * steady.short
    if steady is not None and modulated:
        findings.append(
            find("time-variant", name, short=100 * steady.short, long=100 * steady.long)
        )
    else:
        findings += _tail(take, lag is not None and lag.sure) or _floor(take)
    findings += _dropouts(take)
    return findings


def _tail(take: Take, sure: bool) -> list[Finding]:
    # The repeats of one long note cannot be told from an echo.
    repeat = echo(take.dry, take.wet, take.rate) if sure else None
    if repeat is not None:
        what = f"an echo of {decibels(repeat.level):.0f} dB after {1000 * repeat.seconds:.0f} ms"
        return [find("tail", take.name, what=what)]
    frame = max(1, round(levels.FRAME_S * take.rate))
    dry, wet = levels.frame_levels(take.dry, take.rate), levels.frame_levels(take.wet, take.rate)
    loud = rms(take.wet)
    for first, last in levels.stretches(dry < DIGITAL_SILENCE, levels.MIN_STRETCH_S):
        if first == 0 or (last - first) * frame < 0.4 * take.rate:
            continue
        after = float(np.median(wet[first + 5 : first + 10]))  # 100 to 200 ms after the end
        rest = float(np.median(wet[last - 5 : last]))
        below = decibels(loud) - decibels(after)
        if below < TAIL_BELOW_DB and decibels(after) - decibels(rest) > TAIL_RISE_DB:
            at = first * levels.FRAME_S
            what = (
                f"150 ms after the sound stops at {at:.1f} s, wet is still only {below:.0f} dB "
                "below its loudness, and decays"
            )
            return [find("tail", take.name, what=what)]
    return []


def _floor(take: Take) -> list[Finding]:
    noise = levels.floor(take.dry, take.wet, take.rate)
    if noise is None:
        return []
    level = decibels(noise.level)
    if noise.hum is not None:
        return [find("hum", take.name, hertz=noise.hum, level=level, below=noise.below)]
    error = 10 ** (-noise.below / 10)
    return [find("noise", take.name, floor=level, below=noise.below, error=error)]


def _dropouts(take: Take) -> list[Finding]:
    """Return the longest dropout: wet stops while dry continues."""
    dry, wet = levels.frame_levels(take.dry, take.rate), levels.frame_levels(take.wet, take.rate)
    silent = (wet < DROPOUT_PEAK) & (dry > 0.1 * rms(take.dry))
    places = levels.stretches(silent, DROPOUT_S)
    if not places:
        return []
    first, last = max(places, key=lambda place: place[1] - place[0])
    seconds = (last - first) * levels.FRAME_S
    return [find("dropout", take.name, seconds=seconds, at=first * levels.FRAME_S)]
