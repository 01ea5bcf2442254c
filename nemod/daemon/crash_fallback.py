"""What plays in place of a rig that ends the process that plays it. Thread: control."""

from collections.abc import Mapping
from dataclasses import dataclass

from nemod.chain import Chain
from nemod.control.settings import Settings
from nemod.daemon.built_rig import BuiltRig
from nemod.parameters.parameter_set import ParameterSet, is_in_preset, moved_positions


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
