"""Reads many files at once, in processes that may crash or hang without harm.

Each process is a fresh interpreter (as multiprocessing's `spawn`, without its resource tracker and
without running the caller's main module again).
"""

import json
import os
import selectors
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from nemod.library.entry import Facts, LibraryError

START_LIMIT_S = 60.0
"""[s] Longest time for a reader to start."""
_READER = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from nemod.library.reader import main; main()"
)


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def reader_command() -> list[str]:
    """Return the command line of a reader that imports what this process imports."""
    # -P: a file in the current folder must not be imported as a module.
    return [sys.executable, "-P", "-c", _READER, json.dumps([path for path in sys.path if path])]


def read_files(
    paths: Iterable[Path],
    *,
    workers: int,
    limit_s: float,
    until: float | None = None,
    command: Sequence[str] = (),
) -> Iterator[tuple[Path, Facts]]:
    """Yield what each file holds, in the order in which they are finished.

    `limit_s` [s] is the longest time for one file; at `until` (monotonic clock) the reading stops.
    A file on which a reader crashes or takes too long gets that as its error.

    Raises: LibraryError when no reader can be started.
    """
    pool = _Pool(paths, limit_s, list(command) or reader_command())
    try:
        yield from pool.run(workers, until)
    finally:
        pool.close()


class _Worker:
    """A reader process and the file that it reads."""

    def __init__(self, command: Sequence[str]) -> None:
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # One thread each: the files are what is read in parallel.
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            # Ctrl-C at the terminal is handled by the parent.
            start_new_session=True,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.asks = self.process.stdin
        self.answers = self.process.stdout
        self.is_ready = False
        self.path: Path | None = None
        self.deadline = time.monotonic() + START_LIMIT_S
        self._partial = bytearray()

    def send(self, path: Path, limit_s: float) -> None:
        self.path = path
        self.deadline = time.monotonic() + limit_s
        try:
            self.asks.write(json.dumps(str(path)).encode() + b"\n")
            self.asks.flush()
        except OSError:
            self.process.kill()  # its end is handled where its answers are read

    def receive(self) -> tuple[str | None, bool]:
        """Return a whole line, if there is one, and whether the process is alive."""
        data = os.read(self.answers.fileno(), 1 << 16)
        self._partial += data
        line, end, rest = self._partial.partition(b"\n")
        if not end:
            return None, bool(data)
        self._partial = rest
        return line.decode(), True

    def close(self) -> int:
        """End the process; return its status."""
        self.process.kill()
        status = self.process.wait()
        for pipe in (self.asks, self.answers):
            try:
                pipe.close()
            except OSError:
                continue  # unsent data of a process that has ended
        return status


class _Pool:
    def __init__(self, paths: Iterable[Path], limit_s: float, command: Sequence[str]) -> None:
        self._waiting = deque(paths)
        self._limit_s = limit_s
        self._command = command
        self._workers: set[_Worker] = set()
        self._selector = selectors.DefaultSelector()

    def run(self, most: int, until: float | None) -> Iterator[tuple[Path, Facts]]:
        for _ in range(min(max(most, 1), len(self._waiting))):
            self._start()
        while self._workers:
            now = time.monotonic()
            if until is not None and now >= until:
                return
            ends = [worker.deadline for worker in self._workers]
            nearest = min([*ends, *([until] if until is not None else [])])
            for key, _ in self._selector.select(max(0.0, nearest - now)):
                yield from self._receive(key.data)
            for worker in self._overdue():
                yield from self._give_up(worker, f"took longer than {self._limit_s:g} s to read")

    def _overdue(self) -> list[_Worker]:
        now = time.monotonic()
        # The caller may be slow: an answer that waits to be received is not late.
        answered = {key.data for key, _ in self._selector.select(0)}
        return [worker for worker in self._workers - answered if worker.deadline <= now]

    def _receive(self, worker: _Worker) -> Iterator[tuple[Path, Facts]]:
        line, is_alive = worker.receive()
        if not is_alive:
            yield from self._give_up(worker, "")
        elif line is not None:
            if worker.is_ready and worker.path is not None:
                yield worker.path, _facts(line)
            worker.is_ready = True
            self._assign(worker)

    def _assign(self, worker: _Worker) -> None:
        if self._waiting:
            worker.send(self._waiting.popleft(), self._limit_s)
        else:
            self._stop(worker)

    def _give_up(self, worker: _Worker, reason: str) -> Iterator[tuple[Path, Facts]]:
        """Yield an error for a worker's file, and replace the worker."""
        status = self._stop(worker)
        if not worker.is_ready or worker.path is None:
            raise LibraryError(
                f"no model file can be read: a reader ({self._command[0]}) "
                f"{(reason and 'did not start in time') or f'ended with status {status} at once'}"
            )
        yield worker.path, Facts(error=reason or f"reading it ended the reader (status {status})")
        if self._waiting:
            self._start()

    def _start(self) -> None:
        try:
            worker = _Worker(self._command)
        except OSError as error:
            raise LibraryError(f"no reader can be started: {self._command[0]}: {error}") from None
        self._workers.add(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)

    def _stop(self, worker: _Worker) -> int:
        self._selector.unregister(worker.answers)
        self._workers.discard(worker)
        return worker.close()

    def close(self) -> None:
        for worker in list(self._workers):
            self._stop(worker)
        self._selector.close()


def _facts(line: str) -> Facts:
    fields = json.loads(line)
    return Facts(**{**fields, "knobs": tuple(fields["knobs"])})
