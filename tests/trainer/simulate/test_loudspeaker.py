"""Simulated cabinets: their responses against the formulas of their parts, and those that ship."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from nemod.library import CABINETS
from trainer.simulate.loudspeaker import (
    BAFFLE_GAIN,
    LOUDSPEAKERS,
    RATE_HZ,
    Loudspeaker,
    impulse_response,
    main,
)

HZ = np.geomspace(90.0, 8000.0, 25)


def warped(hz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Return the frequency of the analog filter of which the bilinear transform makes `hz`."""
    return np.asarray(np.tan(np.pi * np.asarray(hz) / RATE_HZ))


def expected_db(of: Loudspeaker) -> NDArray[np.float64]:
    """Return the magnitude at `HZ`, up to a gain: every part by its formula."""
    s = 1j * warped(HZ) / warped(of.resonance_hz)
    whole = (s**2 / (s**2 + s / of.resonance_q + 1.0)) ** (2 if of.is_open else 1)
    for hz, gain_db, q in of.modes:
        s, root = 1j * warped(HZ) / warped(hz), 10.0 ** (gain_db / 40.0)
        whole *= (s**2 + s * root / q + 1.0) / (s**2 + s / (root * q) + 1.0)
    low_pass = 1.0 + (warped(HZ) / warped(of.top_hz)) ** (2 * of.top_order)
    edges = np.ones(HZ.size, complex)
    for way_m, gain in ((of.baffle_m, -BAFFLE_GAIN), (1.6 * of.baffle_m, BAFFLE_GAIN / 2.0)):
        delay = round(way_m / 343.0 * RATE_HZ)
        edges += gain * np.exp(-2j * np.pi * HZ * delay / RATE_HZ)
    return np.asarray(20.0 * np.log10(np.abs(whole * edges) / np.sqrt(low_pass)))


@pytest.mark.parametrize("name", LOUDSPEAKERS)
def test_the_response_is_that_of_its_parts(name: str) -> None:
    """In shape; the level of the file is arbitrary."""
    samples = impulse_response(LOUDSPEAKERS[name])
    phases = np.exp(-2j * np.pi * HZ[:, None] * np.arange(samples.size) / RATE_HZ)
    found_db = 20.0 * np.log10(np.abs(phases @ samples))
    difference = found_db - expected_db(LOUDSPEAKERS[name])
    assert np.abs(difference - difference.mean()).max() < 0.1


def test_the_cabinets_that_ship_are_made_by_the_command(tmp_path: Path) -> None:
    """Each of them, to the last bit of the file's samples."""
    main([str(tmp_path)])
    shipped = CABINETS.shipped_folder()
    assert {path.stem for path in shipped.glob("*.flac")} == set(LOUDSPEAKERS)
    for name in LOUDSPEAKERS:
        made, kept = (
            soundfile.read(folder / f"{name}.flac", dtype="int32")[0] >> 8
            for folder in (tmp_path, shipped)
        )
        # Another version of the libraries may round a sample differently.
        assert np.abs(made - kept).max() <= 1
