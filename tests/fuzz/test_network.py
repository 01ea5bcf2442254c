"""Rubbish from the network. `NEMOD_FUZZ=1000000` runs as many; the default is a small share.

`python -m tests.fuzz` runs all of it and prints what it cost.
"""

import os
from typing import Any

import pytest

from nemod.osc.codec import decode
from tests.fuzz.network import Phone, against_daemon, decode_and_perform
from tests.fuzz.packets import Mutator, real_packets

COUNT = int(os.environ.get("NEMOD_FUZZ", "20000"))


def test_the_real_packets_are_well_formed() -> None:
    """The mutations begin with something that is understood."""
    packets = real_packets()
    assert len(packets) > 100
    assert all(decode(packet).message_count >= 0 for packet in packets)


def test_the_same_seed_makes_the_same_packets() -> None:
    """So that a failure comes back."""
    assert list(Mutator("a").packets(50)) == list(Mutator("a").packets(50))
    assert list(Mutator("a").packets(50)) != list(Mutator("b").packets(50))


def test_rubbish_is_refused_or_answered_and_nothing_else() -> None:
    """Decoder and tree: no other error, every knob in its range, answers that fit a packet."""
    result = decode_and_perform(COUNT)
    assert result.count == COUNT
    # Neither kind may be rare, or the other half is not tried.
    assert COUNT // 10 < result.refused < COUNT * 9 // 10
    assert 0 < result.longest_answer <= 1500


@pytest.fixture
def phone_of() -> Any:
    """Return a function that makes a client, closed in the end."""
    made: list[Phone] = []

    def make(port: int) -> Phone:
        import socket

        made.append(Phone(socket.AF_INET, ("127.0.0.1", port)))
        return made[-1]

    yield make
    for phone in made:
        phone.close()


def test_the_daemon_outlives_rubbish(start: Any, phone_of: Any) -> None:
    """Malformed packets are counted and change nothing; after all others it still answers."""
    daemon = start("--device", "null")
    result = against_daemon(phone_of(daemon.port), daemon.process.pid, COUNT // 10)
    assert result.refused == result.counted > COUNT // 40
    assert result.memory_after < 1.5 * result.memory_before
    assert "Traceback" not in daemon.text
    assert daemon.stop() == 0
