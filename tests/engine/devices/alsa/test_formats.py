"""Samples of a card to float32 and back, against whole numbers written by hand."""

import numpy as np
import pytest

from nemod.engine.devices.alsa.formats import FORMATS, S16, S24, S24_3, S32, Frames, SampleFormat

FRAMES = 5
WHOLE = {16: [0, 1, -1, 32767, -32768], 24: [0, 1, -1, 8388607, -8388608]}


def words(values: list[int], sample_format: SampleFormat) -> bytes:
    """Return samples as the card has them: little-endian, two's complement."""
    return b"".join(v.to_bytes(sample_format.sample_bytes, "little", signed=True) for v in values)


def mono(sample_format: SampleFormat, raw: bytes) -> Frames:
    frames = Frames(sample_format, 1, FRAMES, interleaved=True)
    frames.raw[:] = np.frombuffer(raw, np.uint8)
    return frames


@pytest.mark.parametrize("sample_format", [S16, S24, S24_3])
def test_a_sample_is_the_fraction_of_full_scale(sample_format: SampleFormat) -> None:
    """16 and 24 bits fit into float32 exactly, there and back."""
    values = WHOLE[sample_format.bits]
    raw = words(values, sample_format)
    frames, block = mono(sample_format, raw), np.zeros(FRAMES, np.float32)
    frames.read(0, block)
    assert block.tolist() == [value / 2.0 ** (sample_format.bits - 1) for value in values]
    frames.raw[:] = 0
    frames.write((0,), block)
    assert frames.raw.tobytes() == raw


def test_32_bits_keep_the_24_of_float32() -> None:
    """The nearest float32 on the way in; on the way out full scale is the largest number."""
    values = [0, 256, -(2**31), 2**31 - 1, 123456789]
    frames, block = mono(S32, words(values, S32)), np.zeros(FRAMES, np.float32)
    frames.read(0, block)
    assert block.tolist() == [float(np.float32(value / 2.0**31)) for value in values]
    frames.write((0,), np.array([1.0, -1.0, 0.5, 2.0**-23, -(2.0**-31)], np.float32))
    assert frames.raw.view("<i4").tolist() == [2**31 - 1, -(2**31), 2**30, 256, -1]


@pytest.mark.parametrize("sample_format", FORMATS)
def test_what_is_beyond_full_scale_becomes_full_scale(sample_format: SampleFormat) -> None:
    """A sample that wrapped around would be the loudest click there is."""
    frames = mono(sample_format, bytes(FRAMES * sample_format.sample_bytes))
    frames.write((0,), np.array([1.5, -1.5, 1.0, -1.0, 1e9], np.float32))
    top = 2 ** (sample_format.bits - 1)
    assert frames.raw.tobytes() == words([top - 1, -top, top - 1, -top, top - 1], sample_format)


def test_the_nearest_value_is_written() -> None:
    """Not the next one towards zero, which would distort quiet sounds."""
    frames = mono(S16, bytes(2 * FRAMES))
    samples = np.array([0.6, -0.6, 1.4, -1.4, 99.51], np.float32) / np.float32(32768.0)
    frames.write((0,), samples)
    assert frames.raw.view("<i2").tolist() == [1, -1, 1, -1, 100]


def test_a_sample_of_24_bits_in_32_may_have_anything_above_them() -> None:
    """Some cards leave the uppermost byte as it is."""
    frames, block = mono(S24, words([0x55000001, 0x557FFFFF, 0, 0, 0], S24)), np.zeros(5, "f4")
    frames.read(0, block)
    assert block[:2].tolist() == [2.0**-23, 1.0 - 2.0**-23]


@pytest.mark.parametrize("interleaved", [True, False])
@pytest.mark.parametrize("sample_format", [S16, S24_3, S32])
def test_each_channel_has_its_place(sample_format: SampleFormat, *, interleaved: bool) -> None:
    """Frame by frame, or channel by channel; the other channels stay silent."""
    frames = Frames(sample_format, 3, 2, interleaved=interleaved)
    frames.write((0, 2), np.array([0.25, -0.5], np.float32))
    low, high = (
        words([round(value * 2 ** (sample_format.bits - 1))], sample_format)
        for value in (0.25, -0.5)
    )
    none = bytes(sample_format.sample_bytes)
    expected = low + none + low + high + none + high
    if not interleaved:
        expected = low + high + none + none + low + high
    assert frames.raw.tobytes() == expected
    block = np.ones(2, np.float32)
    frames.read(1, block)
    assert block.tolist() == [0.0, 0.0]
    frames.read(2, block)
    assert block.tolist() == [0.25, -0.5]
