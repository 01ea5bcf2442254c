"""Looks whether a device is there, in a process of its own that ends with the answer.

PortAudio lists devices once in a process's life, and a process that was a client of a JACK server
that died may never become one of its successor; a fresh process knows neither trouble, and without
jax it costs a tenth of a second. Exit status 0: the device is there; 1: it is not.
"""

import sys

import setproctitle

from nemod.common.errors import AudioError
from nemod.engine.devices.base import open_device
from nemod.engine.ipc import DeviceRequest


def main(argv: list[str]) -> int:
    """Look for the device. `argv`: one argument, the JSON of a `DeviceRequest`."""
    setproctitle.setproctitle("nemod probe")
    try:
        open_device(DeviceRequest.from_json(argv[1]))  # chooses it by name; nothing is started
    except AudioError as error:
        print(error)  # noqa: T201 - read by the supervisor
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
