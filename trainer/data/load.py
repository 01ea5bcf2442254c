"""Loads a data set: reads, checks, aligns and splits its recordings."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from trainer.data.continuity import check_continuity
from trainer.data.dataset import Dataset, Pair, Reading
from trainer.data.examine import examine
from trainer.data.fault_table import Severity
from trainer.data.faults import DataError, Finding, find, gathered
from trainer.data.layouts import read_plan
from trainer.data.plan import SPLITS, Plan
from trainer.data.split import amounts, split
from trainer.data.takes import Progress, Take, knob_findings, knobs_of, open_takes

ReportFinding = Callable[[Finding], None]
_log = logging.getLogger(__name__)


def load_dataset(
    path: Path | str,
    wet: Path | str | None = None,
    *,
    knobs: Sequence[str] | None = None,
    rate: int | None = None,
    channel: int | None = None,
    invert: bool | None = None,
    force: bool = False,
    cut_at_jumps: bool = False,
    report: ReportFinding | None = None,
    progress: Progress | None = None,
) -> Dataset:
    """Return the data set of a folder, a manifest or a GuitarML configuration.

    With `wet`, `path` is the dry recording and `wet` the wet one. The latency of wet is corrected.
    `knobs` changes the order of the knobs; `rate` [Hz] resamples; `channel` (from 1) selects a
    channel of files with several; `invert` inverts the polarity of wet; None: as the manifest
    states. `force` accepts errors that are inferred from the sound. `cut_at_jumps` cuts recordings
    where the latency jumps. `report` is called for each finding (default: a warning of the
    logger); `progress` is called while files are read.

    Raises: DataError with a message for everything that prevents training.
    """
    wet = None if wet is None else Path(wet)
    plan = adjusted(
        read_plan(Path(path), wet), knobs=knobs, rate=rate, channel=channel, invert=invert
    )
    plan = replace(plan, cut_at_jumps=cut_at_jumps)
    plan, takes, findings = survey(plan, force=force, progress=progress)
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    if errors:
        raise DataError(errors)
    if report is None:
        for _, sentence in gathered(findings):
            _log.warning("%s", sentence)
    else:
        for finding in findings:
            report(finding)
    how = Reading(
        path=Path(path),
        wet=wet,
        rate=rate,
        channel=channel,
        invert=invert,
        force=force,
        cut_at_jumps=cut_at_jumps,
    )
    return replace(assemble(plan, takes), reading=how)


def adjusted(
    plan: Plan,
    *,
    knobs: Sequence[str] | None = None,
    rate: int | None = None,
    channel: int | None = None,
    invert: bool | None = None,
) -> Plan:
    """Return a plan with the caller's options.

    Raises: DataError for knobs that are not those of the set.
    """
    if knobs is not None:
        if sorted(knobs) != sorted(plan.knobs):
            problem = (
                f"knobs {', '.join(knobs)} were requested, but the data set has "
                f"{', '.join(plan.knobs) or 'none'}"
            )
            raise DataError([find("manifest", plan.name, problem=problem)])
        plan = replace(plan, knobs=tuple(knobs))
    return replace(
        plan,
        rate=plan.rate if rate is None else rate,
        channel=plan.channel if channel is None else channel,
        invert=plan.invert if invert is None else invert,
    )


def survey(
    plan: Plan, *, force: bool = False, progress: Progress | None = None
) -> tuple[Plan, list[Take], list[Finding]]:
    """Return the aligned takes of a plan and all findings.

    The returned plan includes knobs that only the recordings state.
    """
    takes, findings = open_takes(plan, progress)
    if not plan.knobs:
        plan = replace(plan, knobs=knobs_of(takes))
    findings += knob_findings(takes, plan.knobs)
    if not any(finding.severity is Severity.ERROR for finding in findings):
        findings += check_continuity(takes, plan, progress)
        findings += examine(takes, plan, progress)
        findings += amounts(split(plan, takes), takes[0].rate)
    if force:
        findings = [
            replace(finding, severity=Severity.WARNING)
            if finding.fault.forcible and finding.severity is Severity.ERROR
            else finding
            for finding in findings
        ]
    return plan, takes, findings


def assemble(plan: Plan, takes: Sequence[Take]) -> Dataset:
    """Return the data set of aligned takes without errors."""
    parts = split(plan, takes)
    rate = takes[0].rate
    return Dataset(
        plan.name,
        rate,
        plan.knobs,
        parts["train"],
        parts["validation"],
        parts["test"],
        digest(rate, plan.knobs, parts),
        defaults=plan.defaults,
    )


def digest(rate: int, knobs: Sequence[str], parts: Mapping[str, Sequence[Pair]]) -> str:
    """Return the SHA-256 of signals and knob values, in hex; file names do not matter."""
    sha = hashlib.sha256(f"{rate} {' '.join(knobs)}".encode())
    for part in SPLITS:
        for pair in parts[part]:
            sha.update(f"{part} {pair.knobs} {pair.dry.size}".encode())
            sha.update(np.ascontiguousarray(pair.dry, "<f4").tobytes())
            sha.update(np.ascontiguousarray(pair.wet, "<f4").tobytes())
    return sha.hexdigest()
