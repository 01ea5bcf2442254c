"""Looks for a device by a process of its own: listing devices can hang or crash."""

import asyncio
import sys
from contextlib import suppress

from nemod.engine.ipc import DeviceRequest


async def is_connected(request: DeviceRequest, limit_s: float) -> bool:
    """Return whether the device is connected; see `nemod.engine.devices.probe`.

    A probe that takes longer than `limit_s` counts as no.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "nemod.engine.devices.probe",
            request.to_json(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    try:
        return await asyncio.wait_for(process.wait(), limit_s) == 0
    except TimeoutError:
        return False
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
