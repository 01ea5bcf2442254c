"""Histogram of block times, compared with numpy's quantiles of the same times."""

from pathlib import Path

import numpy as np
import pytest

from nemod.engine import histogram
from nemod.engine.engine import Engine
from nemod.engine.histogram import BINS_PER_OCTAVE, BlockTimes

WIDTH = 2.0 ** (1.0 / BINS_PER_OCTAVE)


def test_quantiles_are_those_of_the_times(tmp_path: Path) -> None:
    """Every quantile is at or above numpy's, by less than the width of a bin."""
    path = tmp_path / "times"
    times = BlockTimes(path)
    seconds = np.random.default_rng(3).lognormal(np.log(2e-4), 0.7, 5000)
    for value in seconds:
        times.count(float(value), late=0, xruns=0, faults=0)
    counts = histogram.read(path)
    assert counts.blocks == 5000
    for share in (0.5, 0.99, 0.999, 1.0):
        expected = float(np.quantile(seconds, share, method="inverted_cdf"))
        assert expected <= counts.quantile_s(share) <= expected * WIDTH * (1 + 1e-9)


def test_times_outside_the_bins_are_counted_in_the_outer_bins(tmp_path: Path) -> None:
    """A block of 0 s in the first bin, a block of a minute in the last."""
    path = tmp_path / "times"
    times = BlockTimes(path)
    times.count(0.0, late=0, xruns=0, faults=0)
    times.count(60.0, late=0, xruns=0, faults=0)
    bins = histogram.read(path).bins
    assert (int(bins[0]), int(bins[-1]), int(bins.sum())) == (1, 1, 2)


def test_a_restarted_process_continues_the_counts(tmp_path: Path) -> None:
    """The totals of a new process, which start at zero, are added to those in the file."""
    path = tmp_path / "times"
    BlockTimes(path).count(1e-4, late=3, xruns=2, faults=1)
    before = histogram.read(path)
    BlockTimes(path).count(1e-4, late=4, xruns=0, faults=0)
    after = histogram.read(path)
    assert (after.blocks, after.late, after.xruns, after.faults) == (2, 7, 2, 1)
    since = after - before
    assert (since.blocks, since.late, since.xruns, since.faults) == (1, 4, 0, 0)
    assert int(since.bins.sum()) == 1


def test_quantiles_of_an_empty_histogram_are_zero(tmp_path: Path) -> None:
    """A new file gives 0."""
    path = tmp_path / "times"
    BlockTimes(path)
    assert histogram.read(path).quantile_s(0.999) == 0.0


def test_another_file_is_refused(tmp_path: Path) -> None:
    """A file of another size is recognised by its length."""
    path = tmp_path / "times"
    path.write_bytes(b"1234")
    with pytest.raises(ValueError, match="4 bytes"):
        histogram.read(path)


def test_the_environment_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the variable nothing is counted."""
    monkeypatch.delenv(histogram.VARIABLE, raising=False)
    assert histogram.from_environment() is None
    monkeypatch.setenv(histogram.VARIABLE, str(tmp_path / "times"))
    assert histogram.from_environment() is not None
    assert histogram.read(tmp_path / "times").blocks == 0


def test_the_engine_counts_every_block(tmp_path: Path) -> None:
    """Blocks, xruns and block times are in the file while the engine plays."""
    path = tmp_path / "times"
    engine = Engine(48_000, 64, times=BlockTimes(path))
    block, out = np.zeros(64, np.float32), np.zeros(64, np.float32)
    for number in range(10):
        engine.process(block, out, xrun=number == 4)
    counts = histogram.read(path)
    assert (counts.blocks, counts.xruns, int(counts.bins.sum())) == (10, 1, 10)
