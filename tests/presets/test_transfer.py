"""Presets from elsewhere, and names of files for elsewhere; the rest is in tests/cli."""

import pytest

from nemod.presets import PresetError
from nemod.presets.preset import MAX_NAME
from nemod.presets.transfer import file_name, imported
from nemod.presets.writer import to_text
from tests.presets.conftest import LEAD


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a\\b:c*?", "\U0001d400" * MAX_NAME, "-", "."]
)
def test_a_name_makes_a_safe_file_name(name: str) -> None:
    """No separator, not hidden, no option, and short enough with the suffix of a draft."""
    made = file_name(3, name)
    assert made.startswith("003-")
    assert made.endswith(".yaml")
    assert set(made) & set("/\\:*? ") == set()
    assert len(made.encode()) < 240


def test_a_preset_from_elsewhere_is_read_as_it_is() -> None:
    """Its name counts, not the name of its file."""
    assert imported(to_text(LEAD), "upload", "other") == LEAD


@pytest.mark.parametrize("model", ["/etc/passwd", "../amp", "a\\b"])
def test_a_model_is_never_named_by_a_path(model: str) -> None:
    """The library would not find one, but nothing else may try either."""
    text = f"version: 2\nname: x\nchain: [{{model: {{file: '{model}'}}}}]"
    with pytest.raises(
        PresetError,
        match=r"upload: slot 'model': file .*: the name of a file in the library is expected",
    ):
        imported(text, "upload")
