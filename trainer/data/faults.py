"""What can be wrong with training data: one row a fault, with the sentence that the user gets.

A sentence has three parts: what was found, with figures; what it costs; what to do about it. The
table in docs/training-data.md is made from the same rows (`trainer.data.reference`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum

from nemod.common.errors import NemodError

FEW = 3
"""More findings of one kind are gathered into one sentence."""


class Severity(Enum):
    """How much a fault matters."""

    ERROR = "error"
    """Training is refused."""
    WARNING = "warning"
    """Training goes on, and its result suffers."""
    NOTE = "note"
    """Nothing is lost: what was corrected, or what is unusual but may be meant."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table."""

    code: str
    """Its name in `--json`."""
    severity: Severity
    found: str
    """What was found, with places for the figures, as `{longest}`."""
    cost: str
    """What it does to the model."""
    remedy: str
    """What to do."""
    forcible: bool = False
    """An error that `--force` makes a warning: it is judged from the sound, and may be meant."""
    each: bool = False
    """Every finding gets its own sentence, however many there are."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault at a place."""

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
        """Everything that is said to the user."""
        place = f"{self.where}: " if self.where else ""
        rest = (self.fault.cost, self.fault.remedy)
        parts = (self.found, *(part.format(**self.figures) for part in rest))
        return place + " ".join(part for part in parts if part)


class DataError(NemodError):
    """Data that cannot be learnt from; the text is one line a finding."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        """`findings` are those that forbid the training."""
        self.findings = tuple(findings)
        super().__init__("\n".join(sentence for _, sentence in gathered(self.findings)))


def find(code: str, where: str = "", **figures: object) -> Finding:
    """Return a finding of the fault named `code`."""
    fault = FAULTS[code]
    return Finding(fault, where, dict(figures), fault.severity)


def gathered(findings: Sequence[Finding]) -> list[tuple[Severity, str]]:
    """Return the sentences of findings, errors first; what many pairs share is said once."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.fault.code, finding.severity), []).append(finding)
    said: list[tuple[Severity, str]] = []
    for severity in Severity:
        for (_, how), group in groups.items():
            if how is not severity:
                continue
            if len(group) <= FEW or group[0].fault.each:
                said += [(severity, finding.sentence) for finding in group]
            else:
                names = ", ".join(finding.where for finding in group[1:FEW])
                more = f"(The same of {len(group) - 1} more: {names}, ...)"
                said.append((severity, f"{group[0].sentence} {more}"))
    return said


def _table(*rows: Fault) -> dict[str, Fault]:
    return {row.code: row for row in rows}


E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE

FAULTS: dict[str, Fault] = _table(
    Fault(
        "no-data",
        E,
        "no dry and wet recordings are found ({looked}).",
        "",
        "Name the files input.wav and output.wav, or NAME-input.wav and NAME-target.wav, or write "
        "a manifest.yaml; see docs/training-data.md.",
    ),
    Fault(
        "ambiguous",
        E,
        "{files} are both the {role} recording of one pair.",
        "",
        "Move or rename one of them.",
    ),
    Fault("manifest", E, "{problem}.", "", "See docs/training-data.md for what is allowed."),
    Fault(
        "missing-file",
        E,
        "there is no file {file}.",
        "",
        "Correct the name, or copy the recording to this place.",
    ),
    Fault(
        "unreadable",
        E,
        "cannot be read as sound: {reason}.",
        "",
        "Export it again as WAV, 16 or 24 bit or 32-bit float.",
    ),
    Fault(
        "empty",
        E,
        "{file} contains no samples.",
        "",
        "Record or export it again.",
    ),
    Fault(
        "rates-differ",
        E,
        "dry is at {dry} Hz and wet at {wet} Hz.",
        "They were not recorded together, or one was converted; the two drift apart at once.",
        "Export both at one rate. If the rates in the files are right, ask for one with "
        "`--rate HZ` (`rate:` in the manifest), and both are resampled.",
    ),
    Fault(
        "set-rates-differ",
        E,
        "the pairs are at different rates: {rates}.",
        "A model is learnt at one rate.",
        "Export all at one rate, or ask for one with `--rate HZ` (`rate:` in the manifest).",
    ),
    Fault(
        "resampled",
        N,
        "resampled from {old} to {new} Hz, as asked.",
        "",
        "",
    ),
    Fault(
        "channels",
        N,
        "{file} has {channels} channels; channel {channel} is taken.",
        "",
        "`--channel N` (`channel:` in the manifest) takes another.",
    ),
    Fault(
        "knob-channels",
        N,
        "{file} holds positions of knobs from its second channel on; its first channel is taken, "
        "not channel {channel}.",
        "",
        "Cut these channels off if they are sound.",
    ),
    Fault(
        "lengths-differ",
        W,
        "dry is {dry:.3f} s long and wet {wet:.3f} s.",
        "What has no counterpart is left out.",
        "Check that both start at the same moment: export both over the same range.",
    ),
    Fault(
        "not-finite",
        E,
        "{side} has {count} values that are no numbers (NaN or infinite), first at {at:.3f} s.",
        "One of them makes every weight of the model NaN.",
        "Export the recording again; a plug-in in the chain has probably failed.",
    ),
    Fault(
        "too-short",
        E,
        "only {seconds:.2f} s are left to train on.",
        "Nothing can be learnt from less than {least:g} s.",
        "Record a few minutes of everything that you play: soft, loud, single notes, chords.",
    ),
    Fault(
        "short",
        W,
        "there are {seconds:.1f} s to train on.",
        "The model will know little more than these notes.",
        "Record at least {least:g} s, better three minutes, of soft and loud, single notes and "
        "chords over the whole neck.",
    ),
    Fault(
        "no-validation",
        E,
        "nothing is left for validation.",
        "Nobody would know when the model is best.",
        "Give `validation` a part in `split:`, or a pair with `split: validation`.",
    ),
    Fault(
        "no-test",
        W,
        "nothing is left for the test.",
        "Nobody will know how good the model is on what it has never heard.",
        "Give `test` a part in `split:`, or a pair with `split: test`.",
    ),
    Fault(
        "part-silent",
        E,
        "what is kept for {part} is silent ({seconds:.1f} s).",
        "A model can neither be learnt nor chosen by it: the error beside silence is no number.",
        "Give {part} a recording that holds sound, or leave `split` out of the manifest.",
    ),
    Fault(
        "test-silent",
        W,
        "what is kept for the test is silent ({seconds:.1f} s).",
        "Nobody will know how good the model is: the error beside silence is no number.",
        "Give the test a recording that holds sound, or leave `split` out of the manifest.",
    ),
    Fault(
        "short-pairs",
        W,
        "{count} of {total} recordings to train on are shorter than a segment ({frames} frames, "
        "{least:.2f} s, unless the recipe's `segment_frames` says otherwise).",
        "Training passes over them.",
        "Join them to longer ones, or choose a smaller `segment_frames`.",
    ),
    Fault(
        "dry-clipped",
        W,
        "the dry recording is clipped: {count} samples at its ceiling in {runs} places, the "
        "longest {longest} samples at {at:.3f} s.",
        "The device got something else than what the file says, and the model learns a clipping "
        "that is the interface's.",
        "Lower the input gain until peaks stay below -3 dBFS, and record again.",
    ),
    Fault(
        "wet-clipped",
        W,
        "the wet recording is clipped: {count} samples at full scale in {runs} places, the longest "
        "{longest} samples at {at:.3f} s.",
        "The model learns the interface's clipping as if it were the device's.",
        "Lower the input gain or the device's volume until peaks stay below -3 dBFS, and record "
        "again.",
    ),
    Fault(
        "dry-silent",
        E,
        "the dry recording is silent (peak {peak:.1f} dBFS).",
        "There is nothing to learn from.",
        "Check the cable, the channel (`--channel N`) and that the right file was exported.",
    ),
    Fault(
        "wet-silent",
        E,
        "the wet recording is silent (peak {peak:.1f} dBFS).",
        "The model would learn to be silent.",
        "Check the cable, the device's power and the channel (`--channel N`).",
    ),
    Fault(
        "left-out",
        W,
        "the {side} recording is silent (peak {peak:.1f} dBFS).",
        "The pair is left out; others are there for its split.",
        "Check the cable and the channel (`--channel N`), and record it again, or remove it.",
    ),
    Fault(
        "knob-silent",
        N,
        "the wet recording is silent at {knobs}.",
        "That is learnt as it is, as a volume at 0 should be.",
        "If the device is not silent with these knobs, record this setting again.",
    ),
    Fault(
        "mostly-silent",
        W,
        "{percent:.0f} % of the dry recording is silence; the longest stretch is {longest:.1f} s, "
        "from {at:.1f} s.",
        "Silence teaches nothing and takes time.",
        "Cut it out of both recordings, at the same places.",
    ),
    Fault(
        "dropout",
        W,
        "the wet recording is silent for {seconds:.2f} s from {at:.2f} s while the dry one is not.",
        "The model learns that the device sometimes stops.",
        "Look for a loose cable, a gate or a lost buffer, and record again.",
    ),
    Fault(
        "dc",
        W,
        "the {side} recording stands {mean:+.4f} off zero ({percent:.0f} % of its RMS level).",
        "The loss is spent on the offset, and the model sounds with a click.",
        "Switch on the interface's DC filter, or high-pass the recording at 10 Hz.",
    ),
    Fault(
        "noise",
        W,
        "where nothing is played, the wet recording still holds {floor:.1f} dBFS of noise, "
        "{below:.0f} dB below its own loudness.",
        "A model cannot learn noise: its error stays above {error:.1e} of the energy.",
        "Raise the level into the interface, move away from screens and power supplies, or record "
        "with the guitar's volume open.",
    ),
    Fault(
        "hum",
        W,
        "the wet recording hums at {hertz} Hz and its multiples: {level:.1f} dBFS, {below:.0f} "
        "dB below its loudness.",
        "Hum that is not in the dry recording cannot be learnt.",
        "Break the ground loop: one power strip for everything, balanced cables, a DI box with "
        "ground lift.",
    ),
    Fault(
        "latency",
        N,
        "wet comes {frames} samples ({milliseconds:.2f} ms) after dry; corrected by {shift}.",
        "",
        "",
    ),
    Fault(
        "early",
        W,
        "wet comes {frames} samples ({milliseconds:.2f} ms) before dry; corrected by {shift}.",
        "No device answers before it is asked: the recording was cut or over-compensated, or dry "
        "and wet are swapped.",
        "Check which file is which.",
    ),
    Fault(
        "latency-unknown",
        W,
        "the latency cannot be measured: {first} and {second} samples are about as likely.",
        "If wet is late, the model wastes its memory on waiting.",
        "Record more than a few long notes, or state `lag:` in the manifest.",
    ),
    Fault(
        "latencies-differ",
        W,
        "the latency differs between pairs, from {low} to {high} samples; each is corrected by its "
        "own.",
        "That is as it should be if they were recorded on different days.",
        "If not, state `lag:` in the manifest.",
    ),
    Fault(
        "drift",
        E,
        "the latency drifts by {parts:.1f} parts in a million: {first} samples at the start, "
        "{last} at the end.",
        "Dry and wet ran on two clocks, and no model can follow.",
        "Record both with one interface, or lock their clocks.",
        forcible=True,
    ),
    Fault(
        "jump",
        E,
        "the latency jumps by {frames:+d} frames at {seconds:.3f} s (frame {at}): {before} before, "
        "{after} after.",
        "The recorder lost or inserted a buffer, and from there on dry and wet are not aligned.",
        "Record again with a larger buffer size, or train on the pieces between the jumps with "
        "`--cut-at-jumps`.",
        forcible=True,
        each=True,
    ),
    Fault(
        "cut",
        N,
        "cut into {count} pieces where the latency jumps, at {places}; each is aligned with its "
        "own latency.",
        "",
        "",
    ),
    Fault(
        "polarity",
        N,
        "wet is upside down against dry (correlation {correlation:+.2f}).",
        "The model learns it so; it matters only where it is mixed with the dry sound.",
        "If a cable or the interface did it, `--invert` (`invert: true` in the manifest) turns it.",
    ),
    Fault(
        "swapped",
        E,
        "dry and wet seem to be swapped: dry is the compressed one (crest factor "
        "{dry_crest:.1f} dB against {wet_crest:.1f} dB), and wet's loudness moves {ratio:.2f} "
        "times as much.",
        "The model would learn to undo the device.",
        "Swap the two files, or their names.",
        forcible=True,
    ),
    Fault(
        "unrelated",
        E,
        "dry and wet have nothing to do with each other: {percent:.1f} % of wet's energy follows "
        "dry.",
        "Nothing can be learnt.",
        "Check that both files are from the same take.",
        forcible=True,
    ),
    Fault(
        "identical",
        E,
        "wet is dry, {gain:+.1f} dB and nothing else (what is left is {rest:.0f} dB below).",
        "The model would be a wire.",
        "The device was bypassed, or the wrong track was exported.",
        forcible=True,
    ),
    Fault(
        "time-variant",
        W,
        "the device changes by itself while it plays: over half a second wet's phase keeps to "
        "dry's by {short:.0f} %, over the whole recording by {long:.0f} %.",
        "A chorus, flanger, phaser or vibrato has a clock that the model does not see; it will "
        "learn an average.",
        "Switch modulation off and record again.",
    ),
    Fault(
        "tail",
        W,
        "wet goes on after dry has ended: {what}.",
        "Echo and reverb are longer than a model's memory.",
        "Switch delay and reverb off and record again; nemod has both after the model.",
    ),
    Fault(
        "knob-range",
        E,
        "knob {knob} is {value}.",
        "Positions are 0..1.",
        "Divide by the knob's own scale: 7 of 10 is 0.7.",
    ),
    Fault(
        "knob-missing",
        E,
        "no position of knob {knob} is stated; other pairs have it.",
        "Every pair needs all knobs.",
        "Add `{knob}: 0.5`, where it stood.",
    ),
    Fault(
        "knob-name",
        E,
        "{knob} is no knob of this set{near}.",
        "Its knobs are {knobs}.",
        "Correct the name, or add it to `knobs:`.",
    ),
    Fault(
        "knob-still",
        W,
        "knob {knob} stands at {value:g} in all pairs to train on.",
        "The model cannot learn what it does.",
        "Record other positions too, or leave the knob out.",
    ),
    Fault(
        "overlap",
        E,
        "{seconds:.1f} s or more of it are in {other} ({other_split}) too, with the same knobs.",
        "A model is judged by what it has learnt by heart, and the figures mean nothing.",
        "Split by time, not by copies: leave `split` out and one recording is cut in three.",
        forcible=True,
    ),
)
