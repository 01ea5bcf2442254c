"""Which model plays, and how another comes to play. Thread: control."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog
from numpy.typing import NDArray

from nemod.builder.messages import BuildFailure, BuildRequest, BuildResult, Level
from nemod.common.errors import OscError
from nemod.config import Config
from nemod.control.settings import Settings
from nemod.daemon.child_processes import BuilderProcess
from nemod.daemon.quarantine import DEATHS, WITHIN_S, Quarantine
from nemod.daemon.supervisor import Supervisor
from nemod.engine.ipc import DeviceOpened, PlayRig
from nemod.osc.host import Answer

HEARD_TIMEOUT_S = 5.0
"""[s] How long a rig may take from the socket to the speaker."""
LOAD = "/nemo/model/load"
CLEAN = "clean"
"""Name of the rig without a model, that plays where no model may."""

log = structlog.get_logger("nemod")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A model that somebody asked for."""

    name: str
    path: Path | None
    """None for the clean rig."""
    answer: Answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A rig that was made, and what of."""

    rig_id: int
    name: str
    path: Path | None
    built: BuildResult
    device: DeviceOpened
    """It was made for this device's rate and block."""

    def order(self) -> PlayRig:
        """Return what hands it to an audio plane."""
        return PlayRig(
            rig_id=self.rig_id,
            rig=self.built.rig,
            rate_hz=self.device.rate_hz,
            block_frames=self.device.block_frames,
        )

    def suits(self, device: DeviceOpened) -> bool:
        """Return whether a device can play it."""
        mine = self.device.rate_hz, self.device.block_frames
        return mine == (device.rate_hz, device.block_frames)


def nobody(result: str | OscError) -> None:
    """Be the answer of a load that nobody asked for."""


class Loads:
    """The model that plays, the one that is on its way, and the one that is asked for next."""

    def __init__(
        self,
        config: Config,
        settings: Settings,
        *,
        size: float | None,
        supervisor: Supervisor,
        changed: Callable[[], None],
    ) -> None:
        """`changed` is called when another model plays."""
        self.foundry = BuilderProcess()
        self.current: Made | None = None
        self.set_aside = ""
        """The model that was set aside last, until somebody asks for it again."""
        self._config = config
        self._settings = settings
        self._size = size
        self._supervisor = supervisor
        self._changed = changed
        self._earlier: Made | None = None
        self._pending: Made | None = None
        self._pending_ends: asyncio.Future[str] | None = None
        self._rig_ids = 0
        self._queued: Wanted | None = None
        self._wake = asyncio.Event()
        self._is_loading = False
        self._quarantine = Quarantine()

    # --- asking for a model ----------------------------------------------------------------------

    def want(self, wanted: Wanted) -> None:
        """Begin to load a model; the newest request wins."""
        if self._queued is not None:
            overtaken = OscError("busy", LOAD, f"overtaken by {wanted.name!r}")
            self._queued.answer(overtaken)
        self._queued = wanted
        self._wake.set()

    async def run(self) -> None:
        """Build and play what was asked for last, one at a time, until cancelled."""
        await self._supervisor.known.wait()
        while True:
            await self._wake.wait()
            self._wake.clear()
            wanted, self._queued = self._queued, None
            if wanted is None:
                continue
            self._is_loading = True
            try:
                wanted.answer(await self._load(wanted))
            except OscError as error:
                log.warning("model not loaded", model=wanted.name, reason=error.text)
                wanted.answer(error)
                self._mend(wanted)
            except Exception as error:
                # Whatever it is, the next request must still be heard.
                log.exception("model not loaded", model=wanted.name)
                wanted.answer(OscError("io", LOAD, f"{wanted.name}: {error}"))
                self._mend(wanted)
            finally:
                self._is_loading = False

    async def _load(self, wanted: Wanted) -> str:
        """Return the name when the model is heard, or is what will be heard. Raises: OscError."""
        device = self._supervisor.device
        assert device is not None
        self._rig_ids += 1
        built = await self.foundry.build(
            BuildRequest(
                request_id=self._rig_ids,
                path=str(wanted.path or ""),
                rate_hz=device.rate_hz,
                block_frames=device.block_frames,
                positions=self._settings.positions(),
                level=Level(
                    normalize=self._config.level.normalize,
                    input_dbu=self._config.level.input_dbu,
                ),
                size=self._size,
            )
        )
        if isinstance(built, BuildFailure):
            raise OscError("io", LOAD, built.reason)
        if self._queued is not None:
            raise OscError("busy", LOAD, f"overtaken by {self._queued.name!r}")
        made = Made(
            rig_id=self._rig_ids, name=wanted.name, path=wanted.path, built=built, device=device
        )
        if self._supervisor.playing:
            reason = await self._play(made)
            if reason:
                raise OscError("io", LOAD, f"{wanted.name}: {reason}")
        if wanted.name == self.set_aside:
            self.set_aside = ""
        self._now_plays(made)
        log.info("model", model=made.name, cached=built.cached, rate_policy=built.rate_policy)
        return made.name

    async def _play(self, made: Made) -> str:
        """Have a rig played; return why it is not heard, or nothing."""
        self._pending = made
        self._pending_ends = asyncio.get_running_loop().create_future()
        try:
            await self._supervisor.play(made.order())
            self.commit()
            return await asyncio.wait_for(self._pending_ends, HEARD_TIMEOUT_S)
        except (TimeoutError, ConnectionError):
            # Where there is no audio plane any more, the next one begins with this rig.
            return "the audio plane did not take the rig" if self._supervisor.playing else ""
        finally:
            self._pending = self._pending_ends = None

    def _now_plays(self, made: Made) -> None:
        before = self.current
        if before is not None and before.path is not None and before.name != made.name:
            self._earlier = before
        self.current = made
        device = self._supervisor.device
        if device is not None and not made.suits(device):
            self._make_again()
        self.commit()
        self._changed()

    def _make_again(self) -> None:
        """Have the current model made for the device as it is now, unless another is wanted."""
        if self.current is not None and self._queued is None:
            self.want(Wanted(name=self.current.name, path=self.current.path, answer=nobody))

    def _mend(self, failed: Wanted) -> None:
        """See that something sounds after a load that failed: what plays may not suit the device.

        A model that cannot be made again, as when its file is gone, gives way to the clean rig.
        """
        device, made = self._supervisor.device, self.current
        if self._queued is not None or device is None or made is None or made.suits(device):
            return
        if failed.answer is not nobody:
            self._make_again()
        elif failed.path is not None:
            self.want(Wanted(name=CLEAN, path=None, answer=nobody))

    # --- what the supervisor tells ---------------------------------------------------------------

    def rig_to_play(self) -> tuple[PlayRig, NDArray[np.float32]] | None:
        """Return the current rig, and where its knobs stand."""
        made = self.current
        if made is None:
            return None
        return made.order(), self._settings.vector(made.built.layout)

    def opened(self, device: DeviceOpened) -> None:
        """Hear that a device runs; a rig made for another rate is made again."""
        if self._is_loading:
            return  # the end of that load looks after it
        if self.current is not None and not self.current.suits(device):
            self._make_again()

    def heard(self, rig_id: int) -> None:
        """Hear which rig is heard alone."""
        if self._pending is not None and rig_id == self._pending.rig_id:
            self._end_pending("")

    def failed(self, rig_id: int, reason: str) -> None:
        """Hear that a rig did not pass its proof."""
        if self._pending is not None and self._pending.rig_id == rig_id:
            self._end_pending(reason)
        elif self.current is not None and self.current.rig_id == rig_id:
            log.warning("the rig did not start again", model=self.current.name, reason=reason)
            self._make_again()

    def lost(self, reason: str, *, blamed: bool) -> None:
        """Hear that the audio plane is gone; `blamed`: what it played may have done it."""
        if self._pending is not None:
            # Heard for the first time, it is the suspect, and the one before plays on.
            self._end_pending(f"the audio process ended over it: {reason}" if blamed else "")
            return
        made = self.current
        if (
            not blamed
            or made is None
            or not self._quarantine.record_crash(made.name, time.monotonic())
        ):
            return
        self._quarantine.clear(made.name)
        instead = self._earlier
        self._earlier = None
        if made.path is None:
            log.error("the audio process dies even without a model", reason=reason)
            return
        self.set_aside = made.name
        name = instead.name if instead is not None else CLEAN
        log.error(
            f"model set aside: the audio process ended {DEATHS} times in {WITHIN_S:g} s over it",
            model=made.name,
            reason=reason,
            instead=name,
        )
        self.current = instead
        if instead is None:
            self.want(Wanted(name=CLEAN, path=None, answer=nobody))
        self._changed()

    def _end_pending(self, reason: str) -> None:
        if self._pending_ends is not None and not self._pending_ends.done():
            self._pending_ends.set_result(reason)

    # --- knobs -----------------------------------------------------------------------------------

    def commit(self) -> None:
        """Send the settings as one snapshot to every rig that is heard or about to be."""
        for made in (self.current, self._pending):
            if made is not None:
                vector = self._settings.vector(made.built.layout)
                self._supervisor.send_settings(made.rig_id, vector)
