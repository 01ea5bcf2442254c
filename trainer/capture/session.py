"""Records one take per knob setting and adds each to the data set folder when complete."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nemod.common.errors import AudioError
from nemod.common.version import __version__
from nemod.engine.devices.duplex import Duplex, DuplexRecording
from trainer.capture.measure import TakeCheck, measure
from trainer.capture.signal import CaptureSignal
from trainer.data.folder import NUMBERED, FolderError, claim, is_sound, write_manifest, write_sound

XRUN_ATTEMPTS = 5
"""Attempts per take; one in which the driver lost blocks is repeated."""
Setting = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class CapturePlan:
    """The settings to capture, the signal to play, and the folder to write."""

    folder: Path
    settings: Sequence[Setting]
    """At least one; all have the same knobs."""
    signal: CaptureSignal
    source: str
    """Description of the signal."""
    device: str
    command: str


class CaptureSession:
    """Takes of one plan, and the data set that they are written to."""

    def __init__(self, plan: CapturePlan) -> None:
        """Read the takes that are in the folder already.

        Raises: FolderError if the folder holds other data, named in the message.
        """
        self._plan = plan
        self._pairs: list[dict[str, Any]] = []
        self._takes: list[dict[str, Any]] = []
        self._latency: int | None = None
        there = claim(plan.folder, self._is_unfinished)
        if there is not None:
            self._pairs, made = there
            if made.get("played_sha256") != plan.signal.digest:
                raise FolderError(
                    f"{plan.folder}: was started with another signal or rate ("
                    f"`{made.get('command', 'unknown')}`); continue with the same --input, "
                    "--seconds, --peak and --rate, or choose another folder"
                )
            self._takes = list(made.get("takes", []))
            if self._takes and made.get("device") == plan.device:
                self._latency = self._takes[-1].get("latency_frames")
            names = {knob for pair in self._pairs for knob in pair["knobs"]}
            wanted = {knob for setting in plan.settings for knob in setting}
            if names != wanted:
                raise FolderError(
                    f"{plan.folder}: was started with knobs {_listed(names)}, but the settings "
                    f"have {_listed(wanted)}; every setting needs the same knobs"
                )

    @property
    def done(self) -> list[Setting]:
        """Settings whose takes are in the folder."""
        return [take["knobs"] for take in self._takes]

    @property
    def left(self) -> list[Setting]:
        """Remaining settings, in order; those with a knob at 0 are last.

        They may be silent; the latency of an earlier take is then used.
        """
        done = [dict(setting) for setting in self.done]
        left = [setting for setting in self._plan.settings if dict(setting) not in done]
        return sorted(left, key=lambda setting: 0.0 in setting.values())

    @property
    def latency(self) -> int | None:
        """[frames] Latency of the newest take; None before the first one with this device."""
        return self._latency

    def keep(self, setting: Setting, take: DuplexRecording, found: TakeCheck) -> None:
        """Write the files of a take, then the manifest that lists them.

        Raises: FolderError; ValueError for a take without a latency.
        """
        plan, signal = self._plan, self._plan.signal
        if found.latency is None:
            raise ValueError("a take without a latency cannot be aligned")
        number = len(self._takes)
        for split, part in signal.parts.items():
            dry = _dry_name(split)
            if not is_sound(plan.folder / dry, signal.played[part], signal.rate_hz):
                write_sound(plan.folder / dry, signal.played[part], signal.rate_hz)
            words = "_".join(f"{knob}{value:g}" for knob, value in setting.items())
            name = f"{number:03d}_{split}" + (f"_{words}" if words else "")
            wet = f"{name}-target.wav"
            aligned = take.recorded[part.start + found.latency : part.stop + found.latency]
            write_sound(plan.folder / wet, aligned, signal.rate_hz)
            self._pairs.append(
                {"name": name, "split": split, "dry": dry, "wet": wet, "knobs": dict(setting)}
            )
        self._latency = found.latency
        self._takes.append(
            {
                "knobs": dict(setting),
                "latency_frames": found.latency,
                "peak_dbfs": round(found.peak_dbfs, 2),
                "noise_dbfs": round(found.noise_dbfs, 2),
                "polarity_inverted": found.inverted,
                "driver_latency_s": take.driver_latency_s,
            }
        )
        write_manifest(
            plan.folder,
            name=plan.folder.resolve().name,
            knobs=list(plan.settings[0]),
            pairs=self._pairs,
            made={
                "by": f"nemod-train capture {__version__}",
                "command": plan.command,
                "device": plan.device,
                "rate_hz": signal.rate_hz,
                "source": plan.source,
                "played_sha256": signal.digest,
                "takes": self._takes,
            },
        )

    def _is_unfinished(self, sound: Path) -> bool:
        """Return whether a file belongs to a first take that was interrupted before the manifest.

        If so, the dry file of its split, which is written first, equals the signal of this plan.
        """
        match = NUMBERED.fullmatch(sound.name)
        splits = {_dry_name(name): name for name in self._plan.signal.parts}
        split = str(match[1]) if match else splits.get(sound.name)
        if (
            split is None
            or split not in self._plan.signal.parts
            or sound.parent != self._plan.folder
        ):
            return False
        played = self._plan.signal.played[self._plan.signal.parts[split]]
        return is_sound(sound.parent / _dry_name(split), played, self._plan.signal.rate_hz)


def _dry_name(split: str) -> str:
    return f"{split}-input.wav"


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "(none)"


def record(
    duplex: Duplex,
    signal: CaptureSignal,
    latency: int | None,
    progress: Callable[[int], None] | None,
    report_progress: Callable[[str], None],
) -> tuple[DuplexRecording, TakeCheck]:
    """Return a take without xruns, and its check; `report_progress` is called for repeated takes.

    Raises: AudioError if the device stops or every take has xruns.
    """
    for number in range(1, XRUN_ATTEMPTS + 1):
        take = duplex.play_and_record(signal.played, progress)
        if not take.xruns:
            return take, measure(signal, take.recorded, latency)
        report_progress(f"{take.xruns} xruns: take {number} is discarded")
    raise AudioError(
        f"{duplex.name!r} had xruns in all {XRUN_ATTEMPTS} takes: choose a larger --block, and "
        "close other programs"
    )
