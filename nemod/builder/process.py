"""The builder process: answers build requests, so that a compilation blocks nothing else."""

import signal
import socket
import sys

import setproctitle

from nemod.builder.answer import answer
from nemod.engine.ipc import receive_frame, send_frame


def main(argv: list[str]) -> int:
    """Answer requests until the other end closes. `argv[1]`: descriptor of the socket."""
    setproctitle.setproctitle("nemod builder")
    with socket.socket(fileno=int(argv[1])) as link:
        while True:
            try:
                request = receive_frame(link)
                send_frame(link, answer(request))
            except (EOFError, ConnectionError):
                return 0


if __name__ == "__main__":
    # A service manager signals all processes at once; the daemon stops its children in order.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(main(sys.argv))
