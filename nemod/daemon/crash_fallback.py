"""What plays in place of a rig that ends the process that plays it. Thread: control."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from nemod.chain import Chain
from nemod.control.backends import CLEAN, RigChange, RigFiles, RigPlan
from nemod.control.errors import Code, ControlError
from nemod.control.settings import Settings
from nemod.daemon.built_rig import BuiltRig
from nemod.daemon.quarantine import CRASHES, WITHIN_S, Quarantine
from nemod.daemon.substitutes import bare, change_to
from nemod.parameters.parameter_set import ParameterSet, is_in_preset, moved_positions

log = structlog.get_logger("nemod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Predecessor:
    """The rig that played before the current one, as it was left."""

    built: BuiltRig
    positions: Mapping[str, float]
    """Those that were set, by canonical path of its chain."""
    renamed: Mapping[str, str]
    """Names of slots in the rig after it, by their names in this one."""
    has_own_sound: bool
    """The rig after it brought all of its positions, as a preset does."""

    @property
    def renamed_back(self) -> dict[str, str]:
        """Names of slots in this rig by their names in the one after it."""
        return {new: old for old, new in self.renamed.items()}

    def sound(self, settings: Settings) -> dict[str, float]:
        """Return the positions with which it plays again, in place of the rig after it.

        What was moved since stays where it is, except for what a preset brought. `settings`: with
        the chain of the rig after it.
        """
        positions = dict(self.positions)
        if not self.has_own_sound:
            chain = self.built.rig.chain
            gone = _gone(self.positions, chain, settings.chain, self.renamed)
            # A slot with a name that another one had before is a new one.
            back = {**dict.fromkeys(self.renamed, ""), **self.renamed_back}
            now = moved_positions(settings.set_positions(), settings.parameters, chain, back)
            positions = {**gone, **now}
        return {path: at for path, at in positions.items() if is_in_preset(path)}


class CrashFallback:
    """Counts the crashes of rigs, and knows what takes the place of one that crashes too often."""

    def __init__(self) -> None:
        self._quarantine = Quarantine()
        self._previous: Predecessor | None = None

    @property
    def models(self) -> frozenset[str]:
        """The models that were quarantined last, until they are requested again."""
        return self._quarantine.models

    def follow(self, before: BuiltRig | None, plan: RigPlan, settings: Settings) -> None:
        """Note that the rig of a plan plays from now on. `settings`: as they were before it."""
        self._quarantine.release(file.name for file in plan.rig.models.values())
        if before is not None and before.rig != plan.rig:
            self._previous = Predecessor(
                built=before,
                positions=settings.set_positions(),
                renamed=plan.renamed,
                has_own_sound=plan.sound is not None,
            )

    def is_due(self, rig: RigFiles) -> bool:
        """Count a crash with a rig; return whether it is to be replaced now."""
        is_due = self._quarantine.record_crash(rig, time.monotonic())
        if is_due:
            self._quarantine.clear(rig)
        return is_due

    def replace(self, crashing: BuiltRig, reason: str) -> tuple[Predecessor | None, frozenset[str]]:
        """Return the rig that takes over, or None, and the models that are quarantined.

        `reason`: how the audio process has ended.
        """
        previous, self._previous = self._previous, None
        suspects = self._quarantine.confine(crashing.rig, previous.built.rig if previous else None)
        what = "model quarantined" if suspects else "rig given up"
        log.error(
            f"{what}: the audio process ended {CRASHES} times in {WITHIN_S:g} s with it",
            model=", ".join(sorted(suspects)) or crashing.name,
            reason=reason,
            instead=previous.built.name if previous else CLEAN,
        )
        return previous, suspects


def substitute(crashing: RigFiles, playing: Callable[[], RigFiles | None]) -> RigChange | None:
    """Return the change to what plays without the files of a rig, or without its chain, or None.

    It is carried out only as long as no other rig plays.
    """
    other = bare(crashing)
    if other is None:
        return None

    def change(rig: RigFiles) -> RigPlan:
        if playing() not in (None, crashing):
            text = "another rig plays meanwhile"
            raise ControlError(Code.BUSY, "", text)
        return change_to(other)(rig)

    return change


def _gone(
    positions: Mapping[str, float], before: Chain, after: Chain, renamed: Mapping[str, str]
) -> dict[str, float]:
    """Return the positions of slots that are in one chain and not in the next."""
    parameters = ParameterSet(before.without_files)
    return {
        path: position
        for path, position in positions.items()
        if not moved_positions({path: position}, parameters, after, renamed)
    }
