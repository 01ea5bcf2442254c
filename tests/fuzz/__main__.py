"""`python -m tests.fuzz [COUNT]`: runs all tests of this folder in full and prints their cost."""

import socket
import sys
import tempfile
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.fuzz.files import read_files
from tests.fuzz.network import DaemonClient, against_daemon, decode_and_perform
from tests.fuzz.streams import streams_against_daemon
from tests.parts.daemon import launch

FULL = 1_000_000


def main(argv: list[str]) -> int:
    """Test the decoder and a daemon with COUNT packets each, and COUNT/100 files a kind."""
    count = int(argv[0]) if argv else FULL
    table = Table("what", "count", "refused", "p50", "p99", "p99.9", "worst", "memory")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with (
        Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as progress,
        tempfile.TemporaryDirectory() as folder,
    ):
        _packets(count, progress, table)
        _daemon(count, Path(folder), progress, table)
        for kind in ("config", "state", "preset"):
            task = progress.add_task(f"{kind} files", total=count // 100)
            files = read_files(
                kind, count // 100, Path(folder), progress=partial(progress.advance, task)
            )
            refused = files.count - files.valid
            times = ("", "", "", f"{1e3 * files.slowest_s:.0f} ms")
            _row(table, f"{kind} files", files.count, refused, *times, f"+{files.grown_kb} kB")
    Console(width=120).print(table)
    return 0


def _row(table: Table, *cells: object) -> None:
    table.add_row(*(f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in cells))


def _packets(count: int, progress: Progress, table: Table) -> None:
    task = progress.add_task("decoder", total=count)
    done = decode_and_perform(count, progress=partial(progress.advance, task))
    for name, costs, refused in (
        ("decoder", done.decoder, done.refused),
        ("address tree", done.tree, ""),
    ):
        times = [f"{value:.0f} us" for value in costs.microseconds()]
        _row(table, name, len(costs.seconds), refused, *times, "")
        progress.console.print(f"{name}: worst {costs.worst[:60]!r} ({len(costs.worst)} bytes)")


def _daemon(count: int, folder: Path, progress: Progress, table: Table) -> None:
    task = progress.add_task("daemon", total=count)
    homes = {f"XDG_{name}_HOME": str(folder) for name in ("CONFIG", "STATE")}
    daemon = launch(["--device", "null"], folder, homes)
    try:
        client = DaemonClient(socket.AF_INET, ("127.0.0.1", daemon.port))
        advance = partial(progress.advance, task)
        live = against_daemon(client, daemon.process.pid, count, progress=advance)
        client.wait_for_jobs()
        task = progress.add_task("TCP streams", total=count * 3 // 80)
        advance = partial(progress.advance, task)
        streams = streams_against_daemon(
            client, daemon.port, daemon.process.pid, count // 40, progress=advance
        )
        client.close()
    finally:
        daemon.end()
    assert daemon.process.returncode == 0
    memory = f"{live.memory_before} to {live.memory_after} kB"
    _row(table, "daemon, malformed", live.refused, live.counted, "", "", "", "", memory)
    _row(table, "daemon, well-formed", live.sent, "", "", "", "", "", "")
    memory = f"{streams.memory_before} to {streams.memory_after} kB"
    _row(table, "TCP streams, refused", streams.refused, streams.counted, "", "", "", "", memory)
    slowest = f"{1e3 * streams.slowest_s:.0f} ms"
    _row(table, "TCP streams, valid", streams.answered, "", "", "", "", slowest, "")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
