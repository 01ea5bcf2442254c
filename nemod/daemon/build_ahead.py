"""Builds rigs, also before they are requested, so that a switch is only the crossfade.

Thread: control. The builder works on one rig at a time: the model switcher calls `build` for what
was requested, and `build_next` while there is nothing else to do.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from nemod.builder.messages import (
    FULL_QUALITY,
    BuildFailure,
    BuildRequest,
    BuildResult,
    Level,
    Reduction,
)
from nemod.common.background import in_background
from nemod.control.backends import NO_CABINET, CabinetFile, ModelFile, Recall
from nemod.control.settings import Settings
from nemod.daemon.protocols import AudioOutput, Builder
from nemod.engine.ipc import PrepareRig
from nemod.parameters.table import param

RECENT = 2
"""How many of the rigs that were built last are kept: the one that plays, and the one before it,
which is a neighbour again after a step to the next preset."""

log = structlog.get_logger("nemod")


class UnplayableError(Exception):
    """A model cannot be played, but another one may."""

    def __init__(
        self, reason: str, *, is_model_fault: bool = True, is_cabinet_fault: bool = False
    ) -> None:
        """`is_model_fault`: it is the file, not this machine or this moment."""
        self.is_model_fault = is_model_fault
        self.is_cabinet_fault = is_cabinet_fault
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class RigKey:
    """All that a rig depends on."""

    path: str
    file_bytes: int
    file_mtime_ns: int
    rate_hz: int
    block_frames: int
    sound: frozenset[tuple[str, float]]
    """Positions. What does not belong to the sound, such as the mute, is missing: every rig starts
    with its present controls, see `nemod.engine.loaded_rigs`."""
    level: Level
    size: float | None
    cabinet: tuple[str, int, int] = ("", 0, 0)
    """Path, bytes and time of change of the cabinet's file."""
    reduction: Reduction = FULL_QUALITY


async def rig_key(request: BuildRequest) -> RigKey:
    """Return what the rig of a request depends on."""
    # On a thread, because the disk may be slow.
    (file_bytes, mtime_ns), cabinet = await in_background(
        lambda: (_stamp(request.path), _stamp(request.cabinet_path))
    )
    sound = {item for item in request.positions.items() if param(item[0]).is_in_preset}
    return RigKey(
        path=request.path,
        file_bytes=file_bytes,
        file_mtime_ns=mtime_ns,
        rate_hz=request.rate_hz,
        block_frames=request.block_frames,
        sound=frozenset(sound),
        level=request.level,
        size=request.size,
        cabinet=(request.cabinet_path, *cabinet),
        reduction=request.reduction,
    )


def _stamp(path: str) -> tuple[int, int]:
    """Return size and modification time of a file; zeros where there is none."""
    try:
        found = Path(path).stat() if path else None
    except OSError:
        found = None
    return (found.st_size, found.st_mtime_ns) if found is not None else (0, 0)


class BuildAhead:
    """Builds rigs for the device as it is, and keeps those that will probably be requested next."""

    def __init__(
        self,
        builder: Builder,
        audio: Callable[[], AudioOutput],
        settings: Settings,
        level: Level,
        *,
        on_unplayable: Callable[[str, str], None],
    ) -> None:
        """`on_unplayable(name, reason)` is called for a model whose file cannot be played."""
        self.reduction = FULL_QUALITY
        """That of all rigs that are built from now on."""
        self._builder = builder
        self._audio = audio
        self._settings = settings
        self._level = level
        self._on_unplayable = on_unplayable
        self._requests = 0
        self._wanted: Sequence[tuple[ModelFile, Recall]] = ()
        self._kept: dict[RigKey, BuildResult] = {}
        self._recent: deque[RigKey] = deque(maxlen=RECENT)
        self._failed: set[RigKey] = set()

    def want(self, wanted: Sequence[tuple[ModelFile, Recall]]) -> None:
        """Replace the list of what will probably be requested next, the most probable first."""
        self._wanted = tuple(wanted)
        self._failed.clear()

    def forget(self) -> None:
        """Drop all rigs, because the audio process refused one of them."""
        self._kept.clear()

    async def build(
        self, model: ModelFile, recall: Recall, cabinet: CabinetFile = NO_CABINET
    ) -> BuildResult:
        """Return the rig of a model, kept or new, under a number that no other rig has.

        `recall`: the sound that takes effect with it. Raises: UnplayableError.
        """
        request = self._request_for(model, recall._replace(cabinet=cabinet))
        key = await rig_key(request)
        result = self._kept.get(key) or await self._builder.build(request)
        if isinstance(result, BuildFailure):
            raise UnplayableError(
                result.reason,
                is_model_fault=result.is_model_fault,
                is_cabinet_fault=result.is_cabinet_fault,
            )
        self._kept[key] = result
        if key in self._recent:
            self._recent.remove(key)
        self._recent.append(key)
        return replace(result, request_id=request.request_id)

    async def build_next(self, is_idle: Callable[[], bool]) -> bool:
        """Build the first wanted rig that is missing, and drop what is no longer wanted.

        Nothing is begun unless `is_idle()`. Returns whether there may be more to do.
        """
        wanted = self._wanted
        found = []
        for model, recall in wanted:
            request = self._request_for(model, recall)
            found.append((model, request, await rig_key(request)))
        if wanted is not self._wanted:
            return True
        keys = {key for _, _, key in found}.union(self._recent)
        self._kept = {key: result for key, result in self._kept.items() if key in keys}
        missing = [each for each in found if each[2] not in {*self._kept, *self._failed}]
        if not missing or not is_idle():
            return False
        model, request, key = missing[0]
        self._failed.add(key)  # until it is built, whatever happens
        try:
            result = await self._builder.build(request)
        except Exception:
            log.exception("model not built ahead", model=model.name)
            return True
        if isinstance(result, BuildResult):
            self._kept[key] = result
            self._failed.discard(key)
            await self._audio().prepare(
                PrepareRig(rig=result.rig, block_frames=request.block_frames)
            )
            return True
        log.debug("model not built ahead", model=model.name, reason=result.reason)
        if result.is_model_fault:
            self._on_unplayable(model.name, result.reason)
        return True

    def _request_for(self, model: ModelFile, recall: Recall) -> BuildRequest:
        device = self._audio().device
        assert device is not None
        self._requests += 1
        return BuildRequest(
            request_id=self._requests,
            path=str(model.path or ""),
            rate_hz=device.rate_hz,
            block_frames=device.block_frames,
            positions=self._settings.recalled(recall.sound) | dict(recall.switched),
            level=self._level,
            size=recall.size,
            cabinet_path=str((recall.cabinet or NO_CABINET).path or ""),
            reduction=self.reduction,
        )
