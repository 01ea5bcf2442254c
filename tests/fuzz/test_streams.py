"""TCP streams meant to hurt. `NEMOD_FUZZ` sets their number; the default is small."""

import os
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from nemod.osc.framing import FrameReader
from tests.fuzz.streams import StreamMaker, streams_against_daemon
from tests.fuzz.test_network import client_for

__all__ = ["client_for"]

COUNT = int(os.environ.get("NEMOD_FUZZ", "10000")) // 40


def test_the_same_seed_makes_the_same_streams() -> None:
    """So that a failure can be reproduced."""
    first, second, other = StreamMaker("a"), StreamMaker("a"), StreamMaker("b")
    assert [first.refused() for _ in range(50)] == [second.refused() for _ in range(50)]
    assert [first.refused() for _ in range(50)] != [other.refused() for _ in range(50)]


@given(st.integers(0, 1 << 32), st.lists(st.integers(0, 1 << 20), max_size=20))
def test_streams_are_split_alike_however_they_are_cut(seed: int, cuts: list[int]) -> None:
    """The same frames and the same end, for valid beginnings and every kind of damage."""
    stream = StreamMaker(str(seed)).refused()
    whole, pieces = FrameReader(), FrameReader()
    expected = whole.feed(stream)
    frames = []
    for start, stop in pairwise([0, *sorted(cut % len(stream) for cut in cuts), len(stream)]):
        frames += pieces.feed(stream[start:stop])
    assert (frames, bool(pieces.error)) == (expected, bool(whole.error))
    assert pieces.has_partial_frame == whole.has_partial_frame


def test_the_daemon_survives_streams(start: Any, client_for: Any) -> None:
    """Refused ones change nothing and get no answer; valid ones are answered between them."""
    daemon = start("--device", "null")
    result = streams_against_daemon(client_for(daemon.port), daemon.port, daemon.process.pid, COUNT)
    assert result.refused == COUNT
    # Almost all are counted; a connection that is reset at once may lose its bytes.
    assert result.counted > COUNT // 2
    assert result.sockets_after == result.sockets_before
    assert result.memory_after < 1.2 * result.memory_before
    assert "Traceback" not in daemon.text
    assert daemon.stop() == 0
