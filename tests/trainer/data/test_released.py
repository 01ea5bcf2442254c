"""Checks of published recordings by others."""

import json
from pathlib import Path

import pytest

from trainer.data.check import check_data


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("ts9_guitarlstm", ["polarity"]),
        ("hudson_broadcast", []),
        ("donner_flanger_lfo", ["polarity", "time-variant", "short"]),
    ],
)
def test_lag_and_polarity_are_those_of_the_manifest(
    shared_data: Path, name: str, codes: list[str]
) -> None:
    """The measurements of real pedals agree with those of another program."""
    entries = json.loads((shared_data / "audio-manifest.json").read_text(encoding="utf-8"))
    (wet,) = next(entry["wets"] for entry in entries if entry["name"] == name)
    report = check_data(shared_data / "pairs" / name)
    (row,) = report.rows
    assert (row.lag, row.polarity) == (wet["lag_phat"], wet["polarity"])
    assert [finding.fault.code for finding in report.findings] == codes


@pytest.mark.long
def test_simulated_sets_are_clean(shared_data: Path) -> None:
    """79 pairs have no findings except silence at volume 0."""
    assert check_data(shared_data / "spice" / "muff").findings == ()
    report = check_data(shared_data / "spice" / "muffcond")
    assert {finding.fault.code for finding in report.findings} == {"knob-silent"}
    silent = {finding.where for finding in report.findings}
    assert silent == {row.name for row in report.rows if row.knobs["volume"] == 0}
    assert {row.shift for row in report.rows} == {0}
