"""The table of dialects."""

from typing import Any

import pytest

from nemod.formats import load_model
from nemod.formats.dialects import DIALECTS, SUFFIXES, Dialect
from tests.formats.test_metadata import nam, pedalnet, rtneural


def documents(rnn: Any) -> dict[str, Any]:
    """Return a model of each dialect that states no rate."""
    return {"guitarml": rnn(), "rtneural": rtneural(), "nam": nam(), "wavenetva": pedalnet()}


@pytest.mark.parametrize("row", DIALECTS, ids=[row.name for row in DIALECTS])
def test_a_row_says_all_about_its_files(write, rnn, row: Dialect) -> None:
    """Its name, the rate of a file without one, and whether that is the device's."""
    model = load_model(write(documents(rnn)[row.name]), size=0.5)
    assert (model.dialect, model.sample_rate) == (row.name, row.default_rate_hz)
    assert (model.rate_stated, model.rate_follows_device) == (False, row.plays_at_device_rate)


def test_a_document_is_of_one_dialect(write, rnn) -> None:
    """The order of the rows does not matter."""
    from nemod.formats.readers.document import Node

    for name, document in documents(rnn).items():
        found = [row.name for row in DIALECTS if row.matches(Node("", "", document))]
        assert found == [name]


def test_suffixes_of_all_rows_are_those_of_the_library() -> None:
    """A new dialect's files are found without a change elsewhere."""
    assert set(SUFFIXES) == {".json", ".aidax", ".nam"}
