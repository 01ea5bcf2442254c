"""Hands a rig to the audio process and waits until it is heard. Thread: control."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from nemod.control.errors import Code, ControlError
from nemod.daemon.built_rig import BuiltRig
from nemod.daemon.protocols import AudioOutput, Controls

HEARD_TIMEOUT_S = 20.0
"""[s] Longest time from sending a rig until it is heard alone."""


class Handover:
    """The rig that was sent and is not yet heard alone; one at a time."""

    def __init__(self, audio: Callable[[], AudioOutput]) -> None:
        self.pending: BuiltRig | None = None
        self._audio = audio
        self._heard: asyncio.Future[str] | None = None

    async def play(self, built: BuiltRig, controls: Controls, commit: Callable[[], None]) -> str:
        """Send a rig and wait until it is heard; return why it cannot be played, or nothing.

        `commit` sends the settings to it, too. Without an audio process it counts as heard: the
        next one starts with this rig.

        Raises: ControlError `io` when the audio process does not answer.
        """
        self.pending = built
        self._heard = asyncio.get_running_loop().create_future()
        try:
            await self._audio().play(built.play_rig(controls))
            commit()
            return await asyncio.wait_for(self._heard, HEARD_TIMEOUT_S)
        except (TimeoutError, ConnectionError):
            if self._audio().is_playing:
                text = f"{built.name}: the audio process did not take the rig"
                raise ControlError(Code.IO, built.name, text) from None
            return ""
        finally:
            self.pending = self._heard = None

    def end(self, rig_id: int, reason: str) -> bool:
        """Note that a rig is heard, or why not; return whether it was the pending one."""
        if self.pending is None or self.pending.rig_id != rig_id:
            return False
        if self._heard is not None:
            with suppress(asyncio.InvalidStateError):
                self._heard.set_result(reason)
        return True
