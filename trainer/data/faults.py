"""Findings: faults of training data at a place, with figures, and the messages about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from nemod.common.errors import NemodError
from trainer.data.fault_table import FAULTS, Fault, Severity

FEW = 3
"""More findings of one kind are summarised in one message."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault at a place, with its figures."""

    fault: Fault
    where: str
    """The pair or the file; empty for the whole set."""
    figures: dict[str, object] = field(default_factory=dict)
    severity: Severity = Severity.NOTE

    @property
    def found(self) -> str:
        """What was found, with its figures."""
        return self.fault.found.format(**self.figures)

    @property
    def sentence(self) -> str:
        """The whole message: what was found, its effect and the remedy."""
        place = f"{self.where}: " if self.where else ""
        rest = (self.fault.cost, self.fault.remedy)
        parts = (self.found, *(part.format(**self.figures) for part in rest))
        return place + " ".join(part for part in parts if part)


class DataError(NemodError):
    """Data that cannot be used for training; the text has one line per finding."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """`findings`: the errors that prevent training."""
        self.findings = tuple(findings)
        super().__init__("\n".join(sentence for _, sentence in gathered(self.findings)))


def find(code: str, where: str = "", **figures: object) -> Finding:
    """Return a finding of the fault named `code`."""
    fault = FAULTS[code]
    return Finding(fault, where, dict(figures), fault.severity)


def gathered(findings: Sequence[Finding]) -> list[tuple[Severity, str]]:
    """Return the messages of findings, errors first; many of one kind are summarised."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.fault.code, finding.severity), []).append(finding)
    messages: list[tuple[Severity, str]] = []
    for severity in Severity:
        for (_, how), group in groups.items():
            if how is not severity:
                continue
            if len(group) <= FEW or group[0].fault.each:
                messages += [(severity, finding.sentence) for finding in group]
            else:
                names = ", ".join(finding.where for finding in group[1:FEW])
                more = f"(The same of {len(group) - 1} more: {names}, ...)"
                messages.append((severity, f"{group[0].sentence} {more}"))
    return messages
