"""Sends mutated packets to the decoder, the address tree and the daemon, and measures the cost."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from nemod.osc.codec import DecodeError, decode
from tests.fuzz.packets import KNOBS, MAX_UDP, Mutator
from tests.osc.conftest import Client, Desk, MemoryRig, read

Progress = Callable[[int], object]
"""Called with the number of packets since the last call."""
STEP = 500
ANSWER_S, LONGEST_ANSWER_S, TIMEOUT_S = 0.1, 2.0, 60.0
"""[s] How long to wait for the answer to a query at first, at most, and in all its repetitions."""
QUIET_S, JOBS_S = 3.0, 180.0
"""[s] How long nothing changes before jobs count as over, and how long they may take."""


@dataclass
class Costs:
    """CPU time of the thread [s] by packet.

    A packet that seems to be the slowest is timed three more times and the best counts, because
    a thread may have been interrupted.
    """

    seconds: list[float] = field(default_factory=list)
    worst: bytes = b""
    worst_s: float = 0.0

    def measure(self, packet: bytes, work: Callable[[], object]) -> None:
        """Do the work and record its cost."""
        spent = _timed(work)
        self.seconds.append(spent)
        if spent > self.worst_s:
            spent = min(spent, *(_timed(work) for _ in range(3)))
            if spent > self.worst_s:
                self.worst, self.worst_s = packet, spent

    def microseconds(self) -> tuple[float, float, float, float]:
        """Return p50, p99, p99.9 and the worst cost [us]."""
        middle, high, higher = np.percentile(self.seconds, [50, 99, 99.9])
        return 1e6 * middle, 1e6 * high, 1e6 * higher, 1e6 * self.worst_s


def _timed(work: Callable[[], object]) -> float:
    begin = time.thread_time()
    work()
    return time.thread_time() - begin


@dataclass
class Decoded:
    """Results of the decoder and the address tree."""

    count: int = 0
    refused: int = 0
    decoder: Costs = field(default_factory=Costs)
    tree: Costs = field(default_factory=Costs)
    answered: int = 0
    longest_answer: int = 0


def _try_decode(packet: bytes) -> bool:
    try:
        decode(packet)
    except DecodeError:
        return False
    return True


def decode_and_perform(count: int, seed: str = "nemod", progress: Progress = id) -> Decoded:
    """Decode `count` packets and perform the well-formed ones; unexpected errors propagate.

    Raises: AssertionError where a setting leaves its range.
    """
    return asyncio.run(_decode_and_perform(count, seed, progress))


async def _decode_and_perform(count: int, seed: str, progress: Progress) -> Decoded:
    rig = MemoryRig()
    rig.use_knobs(*KNOBS)
    desks = Desk(rig), Desk(rig, is_trusted=False)
    result = Decoded()
    for packet in Mutator(seed).packets(count):
        result.count += 1
        result.decoder.measure(packet, partial(_try_decode, packet))
        try:
            decoded = decode(packet)
        except DecodeError:
            result.refused += 1
        else:
            desk = desks[result.count % 2]
            desk.timers.advance(0.01)
            desk.sent.clear()
            begin = time.thread_time()
            desk.dispatcher.perform(decoded, desk.sender)
            result.tree.seconds.append(time.thread_time() - begin)
            if result.tree.seconds[-1] > result.tree.worst_s:
                result.tree.worst, result.tree.worst_s = packet, result.tree.seconds[-1]
            result.answered += len(desk.sent)
            result.longest_answer = max(result.longest_answer, *map(len, desk.sent), 0)
            _check(rig)
            await asyncio.sleep(0)  # lets background jobs end
        if result.count % STEP == 0:
            progress(STEP)
    return result


def _check(rig: MemoryRig) -> None:
    rig.commits.clear()
    # This comparison is false for NaN too.
    assert all(0.0 <= position <= 1.0 for position in rig.settings.positions().values())


# --- the daemon --------------------------------------------------------------------------------

_CHANGING = ("/nemo/status/", "/nemo/meter/", "/nemo/sync")


@dataclass
class Live:
    """Results of the packets that were sent to a running daemon."""

    refused: int = 0
    counted: int = 0
    sent: int = 0
    """Well-formed packets; some exceed the daemon's rate limits and are dropped."""
    memory_before: int = 0
    memory_after: int = 0
    """[kB] Resident memory of the daemon."""


class DaemonClient(Client):
    """A client that reads the daemon's state."""

    def state(self) -> Mapping[str, object]:
        """Return every value that does not change by itself."""
        answers = self.ask("/nemo")
        return {address: values for address, values in answers if not address.startswith(_CHANGING)}

    def wait_for_jobs(self) -> None:
        """Wait until nothing has changed for `QUIET_S`: the jobs that were requested are over.

        Raises: AssertionError where that takes longer than `JOBS_S`.
        """
        end = time.monotonic() + JOBS_S
        before = self.state()
        while time.monotonic() < end:
            time.sleep(QUIET_S)
            after = self.state()
            if after == before and not {"/nemo/done", "/nemo/error"} & after.keys():
                return
            before = after
        raise AssertionError(f"jobs of the daemon did not end within {JOBS_S} s")

    def count(self, name: str) -> int:
        """Return an integer of the daemon's status; repeat a question that was rate-limited."""
        address, end = f"/nemo/status/{name}", time.monotonic() + TIMEOUT_S
        while time.monotonic() < end:
            for found, values in self.ask(address):
                if found == address and isinstance(values[0], int):
                    return values[0]
            time.sleep(ANSWER_S)
        raise AssertionError(f"no answer from the daemon for {TIMEOUT_S} s")

    def flood(self, packets: Iterator[bytes], progress: Progress) -> int:
        """Send all packets in portions that fit the daemon's queue; return their number."""
        sent = 0
        for packet in packets:
            self.send_bytes(packet[:MAX_UDP])
            sent += 1
            if sent % 20 == 0:
                self.settle()
            if sent % STEP == 0:
                progress(STEP)
        self.settle()
        return sent

    def settle(self) -> None:
        """Wait until the daemon has processed everything; repeat a question that was rate-limited.

        What it does in the background, as for a packet that loads a model, is not waited for. What
        else arrives does not prolong the wait: one of the packets may have subscribed.
        """
        end, wait_s = time.monotonic() + TIMEOUT_S, ANSWER_S
        while time.monotonic() < end:
            self._discard()
            self.send("/nemo/ping")
            if self._has_pong(time.monotonic() + wait_s):
                break
            wait_s = min(2.0 * wait_s, LONGEST_ANSWER_S)
        else:
            raise AssertionError(f"no answer from the daemon for {TIMEOUT_S} s")
        self.socket.settimeout(TIMEOUT_S)

    def _discard(self) -> None:
        """Drop what has arrived already, late answers included."""
        self.socket.settimeout(0.0)
        with suppress(BlockingIOError):
            while True:
                self.packet()

    def _has_pong(self, end: float) -> bool:
        while (left := end - time.monotonic()) > 0.0:
            self.socket.settimeout(left)
            with suppress(TimeoutError):
                if any(address == "/nemo/pong" for address, _ in read(self.packet())):
                    return True
        return False


def memory(process: int) -> int:
    """Return the resident memory of a process, [kB]."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError(f"process {process} has no memory")


def against_daemon(
    client: DaemonClient, process: int, count: int, seed: str = "nemod", progress: Progress = id
) -> Live:
    """Send the malformed of `count` packets, compare the state, then send the others.

    Raises: AssertionError where a malformed packet changed something or was not counted.
    """
    result = Live()
    packets = list(Mutator(seed).packets(count))
    malformed = [packet for packet in packets if not _try_decode(packet)]
    # Permanent allocations of the daemon are complete after a tenth of the packets.
    tenth = len(malformed) // 10
    client.flood(iter(malformed[:tenth]), progress)
    result.memory_before = memory(process)
    before, bad = client.state(), client.count("bad_packets")
    result.refused = client.flood(iter(malformed[tenth:]), progress)
    result.counted = client.count("bad_packets") - bad
    assert client.state() == before
    assert result.counted == result.refused
    well_formed = [packet for packet in packets if _try_decode(packet)]
    result.sent = client.flood(iter(well_formed), progress)
    assert client.count("uptime") >= 0
    result.memory_after = memory(process)
    return result
