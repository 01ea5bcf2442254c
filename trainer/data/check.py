"""`check_data`: reports the pairs of a data set with their measurements and findings."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from trainer.data.fault_table import Severity
from trainer.data.faults import DataError, Finding
from trainer.data.jumps import Jump
from trainer.data.layouts import read_plan
from trainer.data.levels import decibels, rms
from trainer.data.load import adjusted, survey
from trainer.data.plan import Plan
from trainer.data.split import split
from trainer.data.takes import Progress, Take


@dataclass(frozen=True, slots=True)
class Row:
    """The measurements of one pair."""

    name: str
    split: str
    """The split; `cut`: cut in three; `none`: excluded."""
    seconds: float
    knobs: dict[str, float]
    dry_peak_db: float
    dry_rms_db: float
    wet_peak_db: float
    wet_rms_db: float
    lag: int | None
    """[frames] As measured, before the correction."""
    shift: int
    """[frames] Correction that was applied."""
    polarity: int | None
    follows: float | None
    jumps: tuple[Jump, ...]
    """Jumps of the latency, in frames of the wet recording."""
    verdict: str
    """`ok`, or the severity of the worst finding."""


@dataclass(frozen=True, slots=True)
class CheckReport:
    """The result of a check of a data set."""

    name: str
    rate: int | None
    """[Hz] None if no file could be read."""
    knobs: tuple[str, ...]
    seconds: dict[str, float]
    """Of each split."""
    rows: tuple[Row, ...]
    findings: tuple[Finding, ...]

    @property
    def refused(self) -> bool:
        """Whether training would be rejected."""
        return any(finding.severity is Severity.ERROR for finding in self.findings)

    def tree(self) -> dict[str, object]:
        """Return the report for JSON."""
        return {
            "name": self.name,
            "rate": self.rate,
            "knobs": list(self.knobs),
            "seconds": self.seconds,
            "refused": self.refused,
            "findings": [
                {
                    "code": finding.fault.code,
                    "severity": finding.severity.value,
                    "where": finding.where,
                    "sentence": finding.sentence,
                    "figures": {key: _plain(value) for key, value in finding.figures.items()},
                }
                for finding in self.findings
            ],
            "pairs": [asdict(row) for row in self.rows],
        }


def _plain(value: object) -> object:
    if isinstance(value, bool | int | float | str):
        return value
    return value.item() if hasattr(value, "item") else str(value)


def check_data(
    path: Path,
    wet: Path | None = None,
    *,
    rate: int | None = None,
    channel: int | None = None,
    invert: bool | None = None,
    force: bool = False,
    cut_at_jumps: bool = False,
    progress: Progress | None = None,
) -> CheckReport:
    """Return what is known of a data set; the arguments are those of `load_dataset`."""
    try:
        plan = adjusted(read_plan(path, wet), rate=rate, channel=channel, invert=invert)
    except DataError as error:
        return CheckReport(path.name, None, (), {}, (), error.findings)
    plan = replace(plan, cut_at_jumps=cut_at_jumps)
    plan, takes, findings = survey(plan, force=force, progress=progress)
    return CheckReport(
        plan.name,
        takes[0].rate if takes else None,
        plan.knobs,
        _seconds(plan, takes, findings),
        tuple(_row(take, findings) for take in takes),
        tuple(findings),
    )


def _seconds(plan: Plan, takes: Sequence[Take], findings: Sequence[Finding]) -> dict[str, float]:
    unknown = {"knob-name", "knob-missing"} & {finding.fault.code for finding in findings}
    if not takes or unknown:  # pairs cannot be made without all knobs
        return {}
    parts = split(plan, takes)
    return {
        name: sum(pair.dry.size for pair in pairs) / takes[0].rate for name, pairs in parts.items()
    }


def _row(take: Take, findings: Sequence[Finding]) -> Row:
    found = {finding.severity for finding in findings if finding.where == take.name}
    verdict = next((severity.value for severity in Severity if severity in found), "ok")
    (dry_peak, dry_rms), (wet_peak, wet_rms) = (
        (decibels(float(abs(part).max(initial=0.0))), decibels(rms(part)))
        for part in (take.dry, take.wet)
    )
    return Row(
        name=take.name,
        split="none" if take.left_out else take.split or "cut",
        seconds=take.dry.size / take.rate,
        knobs=dict(take.knobs),
        dry_peak_db=dry_peak,
        dry_rms_db=dry_rms,
        wet_peak_db=wet_peak,
        wet_rms_db=wet_rms,
        lag=None if take.facts.lag is None else take.facts.lag + take.facts.offset,
        shift=take.facts.shift,
        polarity=take.facts.polarity,
        follows=take.facts.follows,
        jumps=take.facts.jumps,
        verdict=verdict,
    )
