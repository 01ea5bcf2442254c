"""Checks whether a device exists, in a process of its own. Exit status: 0 if it does, else 1.

PortAudio lists devices only once per process, and a client of a JACK server that died may never
connect to the next one. A new process has neither problem, and without jax it takes 0.1 s.
"""

import sys

import setproctitle

from nemod.common.errors import AudioError
from nemod.engine.devices.factory import open_device
from nemod.engine.ipc import DeviceRequest


def main(argv: list[str]) -> int:
    """Check for the device. `argv`: one argument, the JSON of a `DeviceRequest`."""
    setproctitle.setproctitle("nemod probe")
    try:
        open_device(DeviceRequest.from_json(argv[1]))  # finds it by name and starts nothing
    except AudioError as error:
        print(error)  # noqa: T201 - read by the supervisor
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
