"""The faults that training data can have, with the message for each.

A message has three parts: what was found, with figures; its effect; the remedy. The table in
docs/training-data.md is generated from these rows (`trainer.data.reference`).
"""

from dataclasses import dataclass
from enum import Enum


class Severity(Enum):
    """How severe a fault is."""

    ERROR = "error"
    """Training is refused."""
    WARNING = "warning"
    """Training is possible, with a poorer result."""
    NOTE = "note"
    """Information: a correction, or something unusual that may be intended."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A row of the table of faults."""

    code: str
    """Name in `--json`."""
    severity: Severity
    found: str
    """What was found, with placeholders for figures such as `{longest}`."""
    cost: str
    """Effect on the model."""
    remedy: str
    """What to do about it."""
    forcible: bool = False
    """Whether `--force` reports the error as a warning, because it is inferred from the sound."""
    each: bool = False
    """Whether many findings are all listed, not summarised."""


def _table(*rows: Fault) -> dict[str, Fault]:
    return {row.code: row for row in rows}


E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE

FAULTS: dict[str, Fault] = _table(
    Fault(
        "no-data",
        E,
        "no dry and wet recordings were found ({looked}).",
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
    Fault("manifest", E, "{problem}.", "", "See docs/training-data.md for the format."),
    Fault(
        "missing-file",
        E,
        "file {file} does not exist.",
        "",
        "Correct the name, or copy the recording to this place.",
    ),
    Fault(
        "unreadable",
        E,
        "cannot be read as a sound file: {reason}.",
        "",
        "Export it again as WAV (16-bit, 24-bit or 32-bit float).",
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
        "They were not recorded together, or one was converted. They are not synchronous.",
        "Export both at one sample rate. If the rates stated in the files are correct, resample "
        "both with `--rate HZ` (`rate:` in the manifest).",
    ),
    Fault(
        "set-rates-differ",
        E,
        "the pairs have different sample rates: {rates}.",
        "A model has one sample rate.",
        "Export all at one rate, or resample with `--rate HZ` (`rate:` in the manifest).",
    ),
    Fault(
        "resampled",
        N,
        "resampled from {old} to {new} Hz as requested.",
        "",
        "",
    ),
    Fault(
        "channels",
        N,
        "{file} has {channels} channels; channel {channel} is used.",
        "",
        "`--channel N` (`channel:` in the manifest) selects another.",
    ),
    Fault(
        "knob-channels",
        N,
        "{file} contains knob positions from its second channel on; its first channel is used, "
        "not channel {channel}.",
        "",
        "Remove these channels if they contain sound.",
    ),
    Fault(
        "lengths-differ",
        W,
        "dry is {dry:.3f} s long and wet {wet:.3f} s.",
        "The longer recording is trimmed.",
        "Check that both start at the same time: export both over the same range.",
    ),
    Fault(
        "not-finite",
        E,
        "{side} has {count} values that are NaN or infinite, first at {at:.3f} s.",
        "A single one makes all weights of the model NaN.",
        "Export the recording again; probably a plug-in in the chain failed.",
    ),
    Fault(
        "too-short",
        E,
        "only {seconds:.2f} s of training data.",
        "Training needs at least {least:g} s.",
        "Record a few minutes of typical playing: soft and loud, single notes and chords.",
    ),
    Fault(
        "short",
        W,
        "only {seconds:.1f} s of training data.",
        "The model will generalise poorly to other playing.",
        "Record at least {least:g} s, better three minutes: soft and loud, single notes and "
        "chords, over the whole fretboard.",
    ),
    Fault(
        "no-validation",
        E,
        "the validation set is empty.",
        "The best model cannot be selected.",
        "Give `validation` a share in `split:`, or a pair with `split: validation`.",
    ),
    Fault(
        "no-test",
        W,
        "the test set is empty.",
        "The error on unseen recordings remains unknown.",
        "Give `test` a share in `split:`, or a pair with `split: test`.",
    ),
    Fault(
        "part-silent",
        E,
        "the {part} set is silent ({seconds:.1f} s).",
        "The error ratio of a silent target is undefined.",
        "Give {part} a recording with sound, or remove `split` from the manifest.",
    ),
    Fault(
        "test-silent",
        W,
        "the test set is silent ({seconds:.1f} s).",
        "The error on unseen recordings remains unknown: the error ratio of silence is undefined.",
        "Give the test a recording with sound, or remove `split` from the manifest.",
    ),
    Fault(
        "short-pairs",
        W,
        "{count} of {total} training recordings are shorter than a segment ({frames} frames, "
        "{least:.2f} s, unless the recipe sets `segment_frames`).",
        "They are not used for training.",
        "Join them into longer recordings, or choose a smaller `segment_frames`.",
    ),
    Fault(
        "dry-clipped",
        W,
        "the dry recording is clipped: {count} samples at the maximum in {runs} places, the "
        "longest {longest} samples at {at:.3f} s.",
        "The input of the device differs from the file, and the model learns the clipping of the "
        "interface.",
        "Lower the input gain until peaks stay below -3 dBFS and record again.",
    ),
    Fault(
        "wet-clipped",
        W,
        "the wet recording is clipped: {count} samples at full scale in {runs} places, the longest "
        "{longest} samples at {at:.3f} s.",
        "The model learns the clipping of the interface as part of the device.",
        "Lower the input gain or the device's volume until peaks stay below -3 dBFS and record "
        "again.",
    ),
    Fault(
        "dry-silent",
        E,
        "the dry recording is silent (peak {peak:.1f} dBFS).",
        "There is nothing to train on.",
        "Check the cable, the channel (`--channel N`) and the exported file.",
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
        "The pair is excluded; its split contains others.",
        "Check the cable and the channel (`--channel N`). Record the pair again, or remove it.",
    ),
    Fault(
        "knob-silent",
        N,
        "the wet recording is silent at {knobs}.",
        "The model learns this, as it should for a volume of 0.",
        "If the device is not silent at these positions, record this setting again.",
    ),
    Fault(
        "mostly-silent",
        W,
        "{percent:.0f} % of the dry recording is silence; the longest lasts {longest:.1f} s, from "
        "{at:.1f} s.",
        "Training on silence takes time without benefit.",
        "Remove it from both recordings, at the same places.",
    ),
    Fault(
        "dropout",
        W,
        "the wet recording is silent for {seconds:.2f} s from {at:.2f} s while the dry one is not.",
        "The model learns the dropout as part of the device.",
        "Check for a loose cable, a noise gate or xruns, and record again.",
    ),
    Fault(
        "dc",
        W,
        "the {side} recording has a DC offset of {mean:+.4f} ({percent:.0f} % of its RMS level).",
        "The offset dominates the loss, and switching the model on and off clicks.",
        "Enable the DC filter of the interface, or high-pass the recording at 10 Hz.",
    ),
    Fault(
        "noise",
        W,
        "the wet recording has {floor:.1f} dBFS of noise in the pauses, {below:.0f} dB below its "
        "RMS level.",
        "A model cannot learn noise: its ESR stays above {error:.1e}.",
        "Raise the level into the interface, move away from screens and power supplies, or turn up "
        "the guitar's volume.",
    ),
    Fault(
        "hum",
        W,
        "the wet recording has mains hum at {hertz} Hz and its harmonics: {level:.1f} dBFS, "
        "{below:.0f} dB below its RMS level.",
        "A model cannot learn hum that is not in the dry recording.",
        "Remove the ground loop: use one power strip, balanced cables, or a DI box with ground "
        "lift.",
    ),
    Fault(
        "latency",
        N,
        "wet is {frames} frames ({milliseconds:.2f} ms) later than dry; corrected by {shift}.",
        "",
        "",
    ),
    Fault(
        "early",
        W,
        "wet is {frames} frames ({milliseconds:.2f} ms) earlier than dry; corrected by {shift}.",
        "A device cannot precede its input: the recording was trimmed or its latency "
        "overcompensated, or dry and wet are swapped.",
        "Check which file is which.",
    ),
    Fault(
        "latency-unknown",
        W,
        "the latency is ambiguous: {first} and {second} frames are equally likely.",
        "An uncorrected latency uses up the memory of the model.",
        "Record more than a few long notes, or set `lag:` in the manifest.",
    ),
    Fault(
        "latencies-differ",
        W,
        "the latency differs between pairs, from {low} to {high} frames; each is corrected "
        "separately.",
        "This is normal for recordings from different sessions.",
        "Otherwise set `lag:` in the manifest.",
    ),
    Fault(
        "drift",
        E,
        "the latency drifts by {parts:.1f} ppm: {first} frames at the start, {last} at the end.",
        "Dry and wet were recorded with different clocks; a model cannot follow the drift.",
        "Record both with one interface, or synchronise the clocks.",
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
        "the polarity of wet is inverted (correlation {correlation:+.2f}).",
        "The model learns the inversion, which matters only in a mix with the dry sound.",
        "If a cable or the interface caused it, use `--invert` (`invert: true` in the manifest).",
    ),
    Fault(
        "swapped",
        E,
        "dry and wet seem to be swapped: dry is more compressed (crest factor {dry_crest:.1f} dB, "
        "wet {wet_crest:.1f} dB), and the level of wet varies {ratio:.2f} times as much.",
        "The model would learn the inverse of the device.",
        "Swap the two files or their names.",
        forcible=True,
    ),
    Fault(
        "unrelated",
        E,
        "dry and wet are unrelated: only {percent:.1f} % of the energy of wet depends on dry.",
        "There is nothing to learn.",
        "Check that both files belong to the same take.",
        forcible=True,
    ),
    Fault(
        "identical",
        E,
        "wet equals dry with a gain of {gain:+.1f} dB (residual {rest:.0f} dB below).",
        "The model would pass its input unchanged.",
        "Check that the device was not bypassed and that the right track was exported.",
        forcible=True,
    ),
    Fault(
        "time-variant",
        W,
        "the device is time-variant: the phase between dry and wet is {short:.0f} % coherent over "
        "half a second, {long:.0f} % over the whole recording.",
        "A chorus, flanger, phaser or vibrato has an oscillator that the model cannot observe; it "
        "learns an average.",
        "Disable the modulation and record again.",
    ),
    Fault(
        "tail",
        W,
        "wet continues after dry has ended: {what}.",
        "Echo and reverb exceed the memory of a model.",
        "Disable delay and reverb and record again; nemod provides both after the model.",
    ),
    Fault(
        "knob-range",
        E,
        "knob {knob} is {value}.",
        "Positions range from 0 to 1.",
        "Divide by the scale of the knob: 7 of 10 is 0.7.",
    ),
    Fault(
        "knob-missing",
        E,
        "the position of knob {knob} is missing; other pairs state it.",
        "Every pair needs the positions of all knobs.",
        "Add the position, as in `{knob}: 0.5`.",
    ),
    Fault(
        "knob-name",
        E,
        "{knob} is not a knob of this data set{near}.",
        "Its knobs are {knobs}.",
        "Correct the name, or add it to `knobs:`.",
    ),
    Fault(
        "knob-still",
        W,
        "knob {knob} is at {value:g} in all training pairs.",
        "The model cannot learn its effect.",
        "Record other positions too, or remove the knob.",
    ),
    Fault(
        "overlap",
        E,
        "at least {seconds:.1f} s of it are also in {other} ({other_split}), at the same knobs.",
        "The model is tested on its training data, so the results are invalid.",
        "Do not copy recordings between splits: without `split`, each is cut into three parts.",
        forcible=True,
    ),
)
