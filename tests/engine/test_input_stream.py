"""The stream of the input: only while it is asked for, and never at the cost of the sound."""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nemod.engine import engine as module
from nemod.engine.ipc import encode_input_stream, encode_settings
from tests.engine.rigs import BLOCK, play, playing

Pipe = Callable[[], tuple[int, int]]


def waiting(fd: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return the samples that wait in a pipe."""
    try:
        return np.frombuffer(os.read(fd, 1 << 22), np.float32)
    except BlockingIOError:
        return np.zeros(0, np.float32)


def test_the_input_is_streamed_while_it_is_on(pipe: Pipe) -> None:
    """Raw, before the rig, from the block on before which the record arrived."""
    settings, control = pipe()
    stream, write = pipe()
    engine = playing(factor=0.25, settings_fd=settings, input_fd=write)
    play(engine, 3, level=0.5)
    assert not waiting(stream).size
    os.write(control, encode_input_stream(is_on=True))
    play(engine, 2, level=0.75)
    np.testing.assert_array_equal(waiting(stream), np.full(2 * BLOCK, 0.75, np.float32))
    os.write(control, encode_input_stream(is_on=False))
    play(engine, 3)
    assert not waiting(stream).size


def test_settings_do_not_change_the_stream(pipe: Pipe) -> None:
    """They come through the same pipe; so does another record of the same kind."""
    settings, control = pipe()
    stream, write = pipe()
    engine = playing(settings_fd=settings, input_fd=write)
    knob = encode_settings(1, np.array([0.5], np.float32))
    os.write(control, encode_input_stream(is_on=False) + encode_input_stream(is_on=True) + knob)
    assert play(engine, 1, level=0.5)[0] == 0.25
    os.write(control, knob)
    play(engine, 1)
    assert waiting(stream).size == 2 * BLOCK


def test_a_full_pipe_drops_whole_blocks_and_the_sound_goes_on(pipe: Pipe) -> None:
    """What did arrive is intact."""
    settings, control = pipe()
    stream, write = pipe()
    engine = playing(settings_fd=settings, input_fd=write)
    os.write(control, encode_input_stream(is_on=True))
    blocks = 1000
    out = play(engine, blocks, level=0.5)
    assert (out == 0.5).all()
    kept = waiting(stream)
    assert 0 < kept.size < blocks * BLOCK
    assert kept.size % BLOCK == 0
    assert (kept == 0.5).all()
    play(engine, 1, level=0.125)
    np.testing.assert_array_equal(waiting(stream), np.full(BLOCK, 0.125, np.float32))


def test_a_closed_pipe_changes_nothing(pipe: Pipe) -> None:
    """If the daemon dies, the sound continues."""
    settings, control = pipe()
    read, write = os.pipe()
    os.set_blocking(write, False)
    os.close(read)
    engine = playing(settings_fd=settings, input_fd=write)
    os.write(control, encode_input_stream(is_on=True))
    assert (play(engine, 3) == 0.5).all()
    os.close(write)


def test_without_a_pipe_the_record_is_ignored(pipe: Pipe) -> None:
    """As in an engine that renders."""
    settings, control = pipe()
    engine = playing(settings_fd=settings)
    os.write(control, encode_input_stream(is_on=True))
    assert (play(engine, 3) == 0.5).all()


def test_a_stream_that_is_off_costs_no_system_call(
    pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A block writes nothing at all then."""
    settings, control = pipe()
    _, write = pipe()
    engine = playing(settings_fd=settings, input_fd=write)
    written: list[int] = []
    monkeypatch.setattr(module, "write_whole", lambda fd, _: written.append(fd))
    play(engine, 10)
    assert written == []
    os.write(control, encode_input_stream(is_on=True))
    play(engine, 10)
    assert written == [write] * 10
