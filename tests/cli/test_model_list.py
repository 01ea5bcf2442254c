"""`nemod models` without a subcommand: the list of the library."""

from pathlib import Path

import pytest

from nemod.formats.save import save_model
from nemod.library import shipped_folder
from tests.cli.conftest import Nemod
from tests.engine.conftest import tiny


def test_the_models_that_ship_are_listed(nemod: Nemod) -> None:
    """At least one of each kind, by the name that --model takes."""
    outcome = nemod("models")
    assert (outcome.status, outcome.err) == (0, "")
    shipped = [path.stem for path in shipped_folder().glob("*.json")]
    assert shipped
    assert [name for name in shipped if name not in outcome.out] == []
    assert "LSTM" in outcome.out
    assert "GRU" in outcome.out


def test_names_stay_whole_on_a_narrow_terminal(
    nemod: Nemod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are there to be copied."""
    monkeypatch.setenv("COLUMNS", "80")
    name = "a-name-that-is-rather-long-2026"
    save_model(tiny(), tmp_path / f"{name}.json")
    assert name in nemod("models", "--library", tmp_path).out


def test_a_library_of_ones_own_is_listed_with_what_cannot_be_played(
    nemod: Nemod, tmp_path: Path
) -> None:
    """Refused files keep their place and say why; brackets are no markup."""
    save_model(tiny("GRU", 2), tmp_path / "amp [red] one.json")
    (tmp_path / "broken.json").write_text("{")
    outcome = nemod("models", "--library", tmp_path)
    assert outcome.status == 0
    assert "amp [red] one" in outcome.out
    assert "gain, tone" in outcome.out
    assert "refused: line 1 column 2" in outcome.out
