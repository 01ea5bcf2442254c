"""Which process has a port open."""

import os
import socket
from pathlib import Path

import pytest

from nemod.network.port_owner import Protocol, owner_of

HEADER = "  sl  local_address rem_address st queues tr retrnsmt uid timeout inode\n"


@pytest.mark.parametrize("table", ["udp", "udp6", "tcp", "tcp6"])
def test_owner_is_read_from_the_process_table(table: str, tmp_path: Path) -> None:
    """The inode of the port's socket leads to the process that has it open."""
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / table).write_text(
        HEADER + "  1: 00000000:2328 00000000:0000 07 0:0 00:0 0 0 0 4711 2 0 0\n"
        "  2: 00000000:2329 00000000:0000 07 0:0 00:0 0 0 0 4712 2 0 0\n"
    )
    for process, inode in (("12", 4712), ("34", 4711)):
        (tmp_path / process / "fd").mkdir(parents=True)
        (tmp_path / process / "fd" / "3").symlink_to(f"socket:[{inode}]")
        (tmp_path / process / "comm").write_text(f"name{process}\n")
    (tmp_path / "56").mkdir()
    asked: Protocol = "udp" if table.startswith("udp") else "tcp"
    other: Protocol = "tcp" if asked == "udp" else "udp"
    assert owner_of(9000, asked, tmp_path) == "name34 (process 34)"
    assert owner_of(9000, other, tmp_path) == ""
    assert owner_of(9002, asked, tmp_path) == ""
    assert owner_of(9000, asked, tmp_path / "nowhere") == ""


@pytest.mark.parametrize(
    ("protocol", "kind"), [("udp", socket.SOCK_DGRAM), ("tcp", socket.SOCK_STREAM)]
)
def test_this_process_is_found(protocol: Protocol, kind: socket.SocketKind) -> None:
    """The real tables name the owner of a socket that is open here."""
    with socket.socket(socket.AF_INET, kind) as opened:
        opened.bind(("127.0.0.1", 0))
        if kind is socket.SOCK_STREAM:
            opened.listen()
        port = opened.getsockname()[1]
        assert owner_of(port, protocol).endswith(f" (process {os.getpid()})")
