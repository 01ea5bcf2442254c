"""Wi-Fi power saving and ports: why packets of a controller are late or do not arrive."""

import fcntl
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

from nemod.doctor.finding import Finding, advice, ok, problem, unknown
from nemod.doctor.machine import Machine
from nemod.network.port_owner import Protocol, owner_of

_SIOCGIWPOWER = 0x8B2D
_REQUEST = struct.Struct("16siBBH")
"""struct iwreq of the wireless extensions: name, value, fixed, disabled, flags."""


def check_wifi(machine: Machine) -> Iterator[Finding]:
    """Check that Wi-Fi adapters do not sleep between packets."""
    names = [path.parent.name for path in machine.find("/sys/class/net/*/wireless")]
    if not names:
        yield ok("wifi-power", "there is no Wi-Fi adapter")
    for name in names:
        saves = saves_power(name)
        if saves is None:
            yield unknown("wifi-power", f"{name} does not say whether it saves power")
        elif saves:
            yield advice(
                "wifi-power",
                f"{name} saves power: messages of a phone may be late by 100 ms and more",
                f"iw dev {name} set power_save off; for good, in NetworkManager: "
                "wifi.powersave = 2 in /etc/NetworkManager/conf.d/wifi.conf, section [connection]",
            )
        else:
            yield ok("wifi-power", f"{name} does not save power")


def saves_power(interface: str) -> bool | None:
    """Return whether a Wi-Fi adapter saves power, None where it does not say."""
    request = bytearray(32)
    _REQUEST.pack_into(request, 0, interface.encode()[:15], 0, 0, 0, 0)
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, _SIOCGIWPOWER, request)
        return not _REQUEST.unpack_from(request)[3]
    return None


def check_ports(machine: Machine) -> Iterator[Finding]:
    """Check that the ports are free, or nemod's own."""
    wanted: list[tuple[int, Protocol]] = [(machine.osc_port, "udp"), (machine.osc_port, "tcp")]
    if machine.http_port > 0:
        wanted.append((machine.http_port, "tcp"))
    for port, protocol in wanted:
        if not port:
            continue
        title = f"{protocol.upper()} port {port}"
        owner = owner_of(port, protocol, machine.path("/proc"))
        if owner.startswith("nemod "):
            yield ok("ports", f"{title} is used by {owner}")
        elif owner or not _is_free(port, protocol):
            who = owner or "a process of another user"
            yield problem(
                "ports",
                f"{title} is used by {who}",
                "stop that program, or choose another port (--port, --http-port)",
            )
        else:
            yield ok("ports", f"{title} is free")


def _is_free(port: int, protocol: Protocol) -> bool:
    kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
    try:
        with socket.socket(socket.AF_INET, kind) as sock:
            if protocol == "tcp":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind(("", port))
    except OSError:
        return False
    return True
