"""Malformed packets from the network. `NEMOD_FUZZ` sets their number; the default is small.

`python -m tests.fuzz` runs the tests in full and prints their cost.
"""

import os
from typing import Any

import pytest

from nemod.osc.codec import decode
from tests.fuzz.network import DaemonClient, against_daemon, decode_and_perform
from tests.fuzz.packets import Mutator, real_packets

COUNT = int(os.environ.get("NEMOD_FUZZ", "10000"))


def test_the_real_packets_are_well_formed() -> None:
    """The mutations start from valid packets."""
    packets = real_packets()
    assert len(packets) > 100
    assert all(decode(packet).message_count >= 0 for packet in packets)


def test_the_same_seed_makes_the_same_packets() -> None:
    """So that a failure can be reproduced."""
    assert list(Mutator("a").packets(50)) == list(Mutator("a").packets(50))
    assert list(Mutator("a").packets(50)) != list(Mutator("b").packets(50))


def test_mutated_packets_are_refused_or_answered() -> None:
    """Decoder and tree: no other error, every knob in its range, answers that fit a packet."""
    result = decode_and_perform(COUNT)
    assert result.count == COUNT
    # Neither refused nor accepted packets may be rare, or one half of the code is not tested.
    assert COUNT // 10 < result.refused < COUNT * 9 // 10
    assert 0 < result.longest_answer <= 1500


@pytest.fixture
def client_for() -> Any:
    """Return a function that makes a client, which is closed after the test."""
    made: list[DaemonClient] = []

    def make(port: int) -> DaemonClient:
        import socket

        made.append(DaemonClient(socket.AF_INET, ("127.0.0.1", port)))
        return made[-1]

    yield make
    for client in made:
        client.close()


def test_the_daemon_survives_malformed_packets(start: Any, client_for: Any) -> None:
    """Malformed packets are counted and change nothing; the daemon answers to the end."""
    daemon = start("--device", "null")
    result = against_daemon(client_for(daemon.port), daemon.process.pid, COUNT // 10)
    assert result.refused == result.counted > COUNT // 40
    assert result.memory_after < 1.5 * result.memory_before
    assert "Traceback" not in daemon.text
    assert daemon.stop() == 0
