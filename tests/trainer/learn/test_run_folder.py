"""The folder of a run: names, exclusive use, metadata, and errors of the disk."""

import errno
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from nemod.common.errors import ConfigError
from nemod.common.process_lock import ProcessLock
from trainer.data.dataset import Dataset
from trainer.learn import checkpoint, run_folder
from trainer.learn.fit import Epoch, fit
from trainer.learn.recipe import Recipe


def stated(path: Path) -> dict[str, Any]:
    tree: dict[str, Any] = json.loads(path.read_text())
    return tree


@pytest.mark.parametrize("name", ["result", "Config", "trial", "SWEEP"])
def test_a_model_is_not_written_over_another_file(
    tmp_path: Path, small: Dataset, quick: Recipe, name: str
) -> None:
    """Regardless of case: some file systems ignore it."""
    with pytest.raises(ConfigError, match=f"the name '{name}' is taken by another file"):
        fit(small, quick, tmp_path / "run", name=name)
    assert not (tmp_path / "run").exists()


def test_a_model_file_is_not_hidden(tmp_path: Path, small: Dataset, quick: Recipe) -> None:
    """Neither with a given name nor with the name of the data set."""
    with pytest.raises(ConfigError, match="begins with a dot"):
        fit(small, quick, tmp_path, name=".fuzz")
    assert [run_folder.as_name(text) for text in ("../up", "a/b", "..", "muff")] == [
        *("-up", "a-b", "unnamed", "muff")
    ]


def test_a_folder_is_used_by_one_run_at_a_time(
    tmp_path: Path, small: Dataset, quick: Recipe
) -> None:
    """The error names the process; afterwards, even after an error, the folder is free."""
    caught: list[ConfigError] = []

    def again(_: Epoch) -> None:
        with pytest.raises(ConfigError) as error:
            fit(small, quick, tmp_path / "." / "run", resume=True)
        caught.append(error.value)
        raise LookupError

    with pytest.raises(LookupError):
        fit(small, quick, tmp_path / "run", again)
    assert f"process {os.getpid()} is training there" in caught[0].problems[0]
    claim = ProcessLock("training", str((tmp_path / "run").resolve()))
    assert claim.take()
    claim.release()


def test_a_resumed_run_keeps_its_metadata(tmp_path: Path, small: Dataset, quick: Recipe) -> None:
    """Name, author, licence and description, unless given again."""
    metadata = {
        "author": "Ada",
        "licence": "CC0-1.0",
        "description": "a clipper",
        "made_by": "first",
    }
    fit(small, quick, tmp_path, lambda _: True, name="fuzz", metadata=metadata)
    anew = {"licence": "MIT", "made_by": "second"}
    result = fit(small, quick, tmp_path, resume=True, metadata=anew)
    expected = {**metadata, **anew}
    assert result.path == tmp_path / "fuzz.json"
    assert expected == {key: result.model.info.plain()[key] for key in expected}
    config = stated(tmp_path / "config.json")
    assert {**expected, "name": "fuzz"} == {key: config[key] for key in (*expected, "name")}
    assert sorted(path.name for path in tmp_path.glob("*.json")) == [
        *("config.json", "fuzz.json", "result.json")
    ]


def test_a_run_of_an_old_version_is_named_by_its_result_or_its_folder(tmp_path: Path) -> None:
    """Its config.json has no name."""
    folder = tmp_path / "muff"
    folder.mkdir()
    assert run_folder.before(folder).name is None
    (folder / "muff.json").touch()
    assert run_folder.before(folder).name == "muff"
    (folder / "result.json").write_text('{"model": "fuzz.json"}')
    assert run_folder.before(folder).name == "fuzz"


def test_resuming_without_a_run_is_rejected(tmp_path: Path, small: Dataset, quick: Recipe) -> None:
    """The message names the folder, which is not created."""
    with pytest.raises(ConfigError, match=r"run: contains no run to resume .*omit --resume"):
        fit(small, quick, tmp_path / "run", resume=True)
    assert not (tmp_path / "run").exists()


def test_a_full_disk_loses_no_completed_epoch(
    tmp_path: Path, small: Dataset, quick: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the file, and the run can be resumed."""

    def full(*_: object) -> NoReturn:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill(_: Epoch) -> None:
        monkeypatch.setattr(checkpoint, "save", full)

    with pytest.raises(run_folder.RunError) as caught:
        fit(small, quick, tmp_path, fill)
    assert str(caught.value) == (
        f"{tmp_path / 'checkpoint.npz'}: cannot be written (No space left on device); "
        "fix that, then continue the run with --resume"
    )
    monkeypatch.undo()
    assert fit(small, replace(quick, patience=9), tmp_path, resume=True).epochs == quick.epochs


def test_trying_out_a_folder_leaves_it_unchanged(tmp_path: Path) -> None:
    """A missing folder is removed again, and existing files are kept."""
    run_folder.try_out(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    run_folder.try_out(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    with pytest.raises(
        run_folder.RunError, match=r"file: cannot be written \(a file is in the way\)"
    ):
        run_folder.try_out(tmp_path / "file")
    assert (tmp_path / "file").exists()
