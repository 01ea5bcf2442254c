"""Runs real avahi-daemons, each with a system bus and a network of its own. Needs root.

A `Machine` is a network namespace with an avahi-daemon on `eth0` and a D-Bus daemon; two of them
are connected by a virtual cable. What a test publishes through the bus of one is listed with
avahi-browse on the other.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PROGRAMS = ("avahi-daemon", "avahi-browse", "avahi-publish", "dbus-daemon", "unshare", "ip")
WAIT_S = 30.0
BROWSE_S, BROWSE_TRIES = 4.0, 5

_BUS_CONFIG = """\
<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
  </policy>
</busconfig>
"""
_AVAHI_CONFIG = """\
[server]
host-name={host}
allow-interfaces=eth0
use-ipv4=yes
use-ipv6=no
[publish]
publish-hinfo=no
publish-workstation=no
{publish}
[rlimits]
"""
# The one pid file of avahi-daemon lies in its own mount namespace.
_START = """\
set -e
mount -t tmpfs none /run
mkdir -p /run/avahi-daemon
ip link set lo up
exec sleep infinity
"""


def is_available() -> bool:
    """Return whether all programs are found and network namespaces may be made."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return os.geteuid() == 0 and all(shutil.which(program, path=path) for program in PROGRAMS)


def wait_for(condition: Callable[[], object], what: str, within_s: float = WAIT_S) -> None:
    """Wait until the condition is true. Raises: RuntimeError when it is not in time."""
    end = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"{what}: not within {within_s} s")
        time.sleep(0.02)


class Machine:
    """A network namespace with a D-Bus daemon and an avahi-daemon."""

    def __init__(self, folder: Path, host: str, address: str) -> None:
        """`folder` is for its files. The machine has its address once it is connected."""
        self.host = host
        self.address = address
        self._folder = folder
        self._socket = folder / "bus"
        self._has_options = False
        self._avahi: subprocess.Popen[bytes] | None = None
        self._bus: subprocess.Popen[bytes] | None = None
        folder.mkdir()
        self._namespace = subprocess.Popen(
            ["unshare", "--net", "--mount", "sh", "-c", _START], stdin=subprocess.DEVNULL
        )
        own = os.readlink("/proc/self/ns/net")
        wait_for(
            lambda: (
                "sleep" in Path(f"/proc/{self.pid}/comm").read_text()
                and os.readlink(f"/proc/{self.pid}/ns/net") != own
            ),
            "network namespace",
        )

    @property
    def pid(self) -> int:
        return self._namespace.pid

    @property
    def bus_address(self) -> str:
        return f"unix:path={self._socket}"

    @property
    def environment(self) -> dict[str, str]:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
        return {**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": self.bus_address, "PATH": path}

    def run(self, *command: str, timeout_s: float = WAIT_S) -> str:
        """Return the output of a command that runs on this machine."""
        done = subprocess.run(
            self._inside(command),
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=True,
        )
        return done.stdout

    def popen(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a command on this machine, without its output on standard output."""
        return subprocess.Popen(
            self._inside(command),
            env={**self.environment, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def connect(self, other: "Machine") -> None:
        """Plug a cable between both and give them their addresses."""
        cable = ("type", "veth", "peer", "name", "eth0", "netns", str(other.pid))
        subprocess.run(
            ["ip", "link", "add", "name", "eth0", "netns", str(self.pid), *cable],
            env=self.environment,
            check=True,
        )
        for machine in (self, other):
            machine.run("ip", "link", "set", "eth0", "up")
            machine.set_address(machine.address)

    def set_address(self, address: str) -> None:
        """Give this machine another address; for a moment it has none."""
        self.run("ip", "address", "flush", "dev", "eth0")
        self.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.address = address

    def start_bus(self) -> None:
        config = self._folder / "bus.conf"
        config.write_text(_BUS_CONFIG.format(socket=self._socket))
        self._socket.unlink(missing_ok=True)
        self._bus = self.popen("dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile")
        wait_for(self._socket.exists, "dbus-daemon")

    def stop_bus(self) -> None:
        _end(self._bus)
        self._bus = None

    def start(self) -> None:
        """Start what does not run of the bus and avahi."""
        if not self._bus:
            self.start_bus()
        if not self._avahi:
            self.start_avahi()

    def stop_unusual(self) -> None:
        """Stop an avahi that was started with options."""
        if self._has_options:
            self.stop_avahi()

    def start_avahi(self, host: str = "", publish: str = "") -> None:
        """Start avahi-daemon, and wait until it has its host name."""
        self._has_options = bool(host or publish)
        config = self._folder / "avahi.conf"
        config.write_text(_AVAHI_CONFIG.format(host=host or self.host, publish=publish))
        self._avahi = self.popen(
            "avahi-daemon", f"--file={config}", "--no-drop-root", "--no-chroot", "--no-rlimits"
        )
        wait_for(lambda: self._avahi_state() == 2, "avahi-daemon")

    def stop_avahi(self) -> None:
        _end(self._avahi)
        self._avahi = None

    def kill_avahi(self) -> None:
        """End avahi-daemon without its goodbyes."""
        if self._avahi:
            self._avahi.kill()
        self.stop_avahi()

    def browse(self, service: str, *options: str) -> list[list[str]]:
        """Return the resolved services of a type: the fields that avahi-browse prints."""
        command = ("avahi-browse", "-rp", *(options or ("-t",)), service)
        for _ in range(BROWSE_TRIES):
            # It never ends when a service is withdrawn while it asks for its address.
            with suppress(subprocess.TimeoutExpired):
                lines = self.run(*command, timeout_s=BROWSE_S).splitlines()
                return [line.split(";") for line in lines if line.startswith("=")]
        raise RuntimeError(f"{' '.join(command)}: no answer")

    def close(self) -> None:
        self.stop_avahi()
        self.stop_bus()
        _end(self._namespace, signal.SIGKILL)

    def _avahi_state(self) -> int:
        asked = subprocess.run(
            [
                "dbus-send",
                f"--bus={self.bus_address}",
                "--print-reply=literal",
                "--dest=org.freedesktop.Avahi",
                "/",
                "org.freedesktop.Avahi.Server.GetState",
            ],
            capture_output=True,
            text=True,
        )
        words = asked.stdout.split()
        return int(words[-1]) if words else 0

    def _inside(self, command: tuple[str, ...]) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--net", "--mount", "--", *command]


@contextmanager
def two_machines(folder: Path) -> Iterator[tuple[Machine, Machine]]:
    """Two connected machines with D-Bus and avahi."""
    machines = [Machine(folder / host, host, address) for host, address in _MACHINES]
    try:
        first, second = machines
        first.connect(second)
        for machine in machines:
            machine.start()
        yield first, second
    finally:
        for machine in machines:
            machine.close()


_MACHINES = (("stage", "10.77.0.1"), ("phone", "10.77.0.2"))


def _end(process: subprocess.Popen[bytes] | None, by: signal.Signals = signal.SIGTERM) -> None:
    if process:
        process.send_signal(by)
        process.wait(WAIT_S)
