"""A rig that was built: from which model and cabinet, and for which device."""

from dataclasses import dataclass

from nemod.builder.messages import BuildResult, Reduction
from nemod.control.backends import NO_CABINET, CabinetFile, ModelFile, Recall
from nemod.daemon.protocols import Controls
from nemod.engine.ipc import DeviceOpened, PlayRig


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltModel:
    """A rig that was built, from which model and cabinet and for which device."""

    rig_id: int
    model: ModelFile
    result: BuildResult
    device: DeviceOpened
    cabinet: CabinetFile = NO_CABINET
    recall: Recall | None = None
    """The sound that takes effect when this rig is heard."""

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.model.name

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
            controls=controls,
        )

    def fits(self, device: DeviceOpened) -> bool:
        """Return whether a device has the rate and block size that it was built for."""
        mine = self.device.rate_hz, self.device.block_frames
        return mine == (device.rate_hz, device.block_frames)
