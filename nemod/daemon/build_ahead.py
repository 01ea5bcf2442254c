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
)
from nemod.chain import Chain
from nemod.common.background import in_background
from nemod.control.backends import RigPlan
from nemod.control.settings import Settings
from nemod.daemon.built_rig import positions_of
from nemod.daemon.protocols import AudioOutput, Builder
from nemod.engine.ipc import PrepareRig
from nemod.parameters.parameter_set import is_in_preset

RECENT = 2
"""How many of the rigs that were built last are kept: the one that plays, and the one before it,
which is a neighbour again after a step to the next preset."""

log = structlog.get_logger("nemod")


class UnplayableError(Exception):
    """A rig cannot be played, but another one may."""

    def __init__(self, reason: str, slot: str = "") -> None:
        """`slot`: the one whose file is at fault; empty: this machine or this moment is."""
        self.slot = slot
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class RigKey:
    """All that a rig depends on."""

    chain: Chain
    """With the sizes to which the reduction limits its models."""
    files: frozenset[tuple[str, str, int, int]]
    """Slot, path, bytes and time of change of each file."""
    rate_hz: int
    block_frames: int
    outputs: int
    sound: frozenset[tuple[str, float]]
    """Positions. What does not belong to the sound, such as the mute, is missing: every rig starts
    with its present controls, see `nemod.engine.loaded_rigs`."""
    level: Level
    is_reverb_cheap: bool
    """False without a reverb."""


async def rig_key(request: BuildRequest) -> RigKey:
    """Return what the rig of a request depends on."""
    # On a thread, because the disk may be slow.
    files = await in_background(
        lambda: frozenset((slot, path, *_stamp(path)) for slot, path in request.files.items())
    )
    sound = {item for item in request.positions.items() if is_in_preset(item[0])}
    return RigKey(
        chain=request.reduction.of_chain(request.chain),
        files=files,
        rate_hz=request.rate_hz,
        block_frames=request.block_frames,
        outputs=request.outputs,
        sound=frozenset(sound),
        level=request.level,
        is_reverb_cheap=request.reduction.is_reverb_cheap and bool(request.chain.of_kind("reverb")),
    )


def _stamp(path: str) -> tuple[int, int]:
    """Return size and modification time of a file; zeros where there is none."""
    try:
        found = Path(path).stat()
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
        on_unplayable: Callable[[RigPlan, UnplayableError], None],
    ) -> None:
        """`on_unplayable(plan, error)` is called for a rig with a file that cannot be played."""
        self.reduction = FULL_QUALITY
        """That of all rigs that are built from now on."""
        self.tried = FULL_QUALITY
        """That of the rig that was requested last, whether or not it could be built."""
        self._builder = builder
        self._audio = audio
        self._settings = settings
        self._level = level
        self._on_unplayable = on_unplayable
        self._requests = 0
        self._wanted: Sequence[RigPlan] = ()
        self._kept: dict[RigKey, BuildResult] = {}
        self._recent: deque[RigKey] = deque(maxlen=RECENT)
        self._failed: set[RigKey] = set()

    def want(self, wanted: Sequence[RigPlan]) -> None:
        """Replace the list of what will probably be requested next, the most probable first."""
        self._wanted = tuple(wanted)
        self._failed.clear()

    def forget(self) -> None:
        """Drop all rigs, because the audio process refused one of them."""
        self._kept.clear()

    async def build(self, plan: RigPlan) -> BuildResult:
        """Return the rig of a plan, kept or new, under a number that no other rig has.

        Raises: UnplayableError.
        """
        request = self._request_for(plan)
        self.tried = request.reduction
        key = await rig_key(request)
        result = self._kept.get(key) or await self._builder.build(request)
        if isinstance(result, BuildFailure):
            raise UnplayableError(result.reason, result.slot)
        self._kept[key] = result
        if key in self._recent:
            self._recent.remove(key)
        self._recent.append(key)
        # A reduction that changes nothing in this chain does not build it again.
        return replace(result, request_id=request.request_id, reduction=request.reduction)

    async def build_next(self, is_idle: Callable[[], bool]) -> bool:
        """Build the first wanted rig that is missing, and drop what is no longer wanted.

        Nothing is begun unless `is_idle()`. Returns whether there may be more to do.
        """
        wanted = self._wanted
        found = []
        for plan in wanted:
            request = self._request_for(plan)
            found.append((plan, request, await rig_key(request)))
        if wanted is not self._wanted:
            return True
        keys = {key for _, _, key in found}.union(self._recent)
        self._kept = {key: result for key, result in self._kept.items() if key in keys}
        missing = [each for each in found if each[2] not in {*self._kept, *self._failed}]
        if not missing or not is_idle():
            return False
        plan, request, key = missing[0]
        self._failed.add(key)  # until it is built, whatever happens
        try:
            result = await self._builder.build(request)
        except Exception:
            log.exception("rig not built ahead", rig=plan.subject)
            return True
        if isinstance(result, BuildResult):
            self._kept[key] = result
            self._failed.discard(key)
            await self._audio().prepare(
                PrepareRig(
                    rig=result.rig, block_frames=request.block_frames, outputs=request.outputs
                )
            )
            return True
        log.debug("rig not built ahead", rig=plan.subject, reason=result.reason)
        if result.slot:
            self._on_unplayable(plan, UnplayableError(result.reason, result.slot))
        return True

    def _request_for(self, plan: RigPlan) -> BuildRequest:
        device = self._audio().device
        assert device is not None
        self._requests += 1
        return BuildRequest(
            request_id=self._requests,
            chain=_unnamed(plan.rig.chain),
            files={slot: str(path) for slot, path in plan.rig.paths.items()},
            rate_hz=device.rate_hz,
            block_frames=device.block_frames,
            outputs=device.outputs,
            positions=positions_of(plan, self._settings),
            level=self._level,
            reduction=self.reduction,
        )


def _unnamed(chain: Chain) -> Chain:
    """Return a chain without the names of files, which a rig does not depend on."""
    for slot in chain:
        if slot.file:
            chain = chain.with_slot(replace(slot, file="", sha256=""))
    return chain
