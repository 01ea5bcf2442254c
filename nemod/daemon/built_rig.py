"""A rig that was built: of which chain and files, and for which device."""

from collections.abc import Mapping
from dataclasses import dataclass

from nemod.builder.messages import BuildResult, Reduction
from nemod.control.backends import CLEAN, RigFiles, RigPlan
from nemod.control.control_vector import control_vector
from nemod.control.settings import Settings
from nemod.daemon.protocols import Controls
from nemod.engine.ipc import DeviceOpened, PlayRig
from nemod.parameters.parameter_set import ParameterSet


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltRig:
    """A rig that was built, of which chain and files and for which device."""

    rig_id: int
    rig: RigFiles
    result: BuildResult
    device: DeviceOpened
    parameters: ParameterSet
    """Those of its chain and models."""
    plan: RigPlan | None = None
    """The positions that take effect when this rig is heard."""

    @property
    def name(self) -> str:
        """The names of its models, for the log."""
        return ", ".join(file.name for file in self.rig.models.values()) or CLEAN

    @property
    def reduction(self) -> Reduction:
        """How far its quality is reduced."""
        return self.result.reduction

    def play_rig(self, controls: Controls) -> PlayRig:
        """Return the message that sends it to an audio process, with its present controls [n]."""
        return PlayRig(
            rig_id=self.rig_id,
            rig=self.result.rig,
            rate_hz=self.device.rate_hz,
            block_frames=self.device.block_frames,
            outputs=self.device.outputs,
            controls=controls,
        )

    def controls(self, settings: Settings) -> Controls:
        """Return its controls [n]; a rig that is not yet heard has positions of its own."""
        return control_vector(
            self.parameters, positions_of(self.plan, settings), self.result.layout
        )

    def fits(self, device: DeviceOpened) -> bool:
        """Return whether a device has the rate, block size and outputs that it was built for."""
        mine = self.device.rate_hz, self.device.block_frames, self.device.outputs
        return mine == (device.rate_hz, device.block_frames, device.outputs)


def positions_of(plan: RigPlan | None, settings: Settings) -> Mapping[str, float]:
    """Return the positions that are set when a plan has taken effect, by canonical path."""
    if plan is None:
        return settings.set_positions()
    recalled = settings.recalled(plan.sound, plan.rig.chain, plan.renamed)
    return {**recalled, **plan.switched}
