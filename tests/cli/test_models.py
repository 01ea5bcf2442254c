"""`nemod models ...` as a user calls it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nemod.builder.messages import BuildFailure, BuildRequest
from nemod.cli import main
from nemod.library import Library, shipped_folder, user_folder
from nemod.library.kind import MODELS

Nemod = Callable[..., tuple[int, str, str]]


@pytest.fixture
def nemod(capsys: pytest.CaptureFixture[str]) -> Nemod:
    """Return a function that runs `nemod models ...`: exit status, output, errors."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        capsys.readouterr()
        status = main(["models", *map(str, arguments)])
        out, errors = capsys.readouterr()
        return status, out, errors

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a copy of a shipped model, twice, and a broken one."""
    made = tmp_path / ("a very long name of a folder " * 5)
    made.mkdir()
    document = json.loads(shipped("clipper-lstm16").read_text())
    document["metadata"] |= {"gear": "Zeta [red]Drive[/red]", "author": "Ann \u001b[31mOther"}
    for name in ("mine", "yours"):
        (made / f"{name}.json").write_text(json.dumps(document))
    (made / "broken.json").write_text("{")
    return made


def shipped(name: str) -> Path:
    """Return the file of a model that ships; the test skips where none do."""
    path = shipped_folder() / f"{name}.json"
    if not path.is_file():
        pytest.skip(f"the model {name!r} does not ship")
    return path


def listed(nemod: Nemod, *arguments: str | Path) -> dict[str, dict[str, Any]]:
    """Return the list as JSON, by name."""
    status, out, _ = nemod("list", "--json", *arguments)
    assert status == 0
    return {row["name"]: row for row in json.loads(out)}


@pytest.mark.parametrize("word", [[], ["list"]])
def test_the_list_is_whole_where_there_is_no_terminal(
    nemod: Nemod, folder: Path, word: list[str]
) -> None:
    """One line per model with all columns; duplicates and refusals are marked."""
    status, out, _ = nemod(*word, "--library", folder)
    lines = {line.split()[1]: line for line in out.splitlines()}
    assert status == 0
    assert "LSTM 16, dense 1, skip" in lines["mine"]
    assert "48000 Hz" in lines["mine"]
    assert "Zeta [red]Drive[/red]" in lines["mine"]
    assert "duplicate: same as yours" in lines["mine"]
    assert "duplicate: same as mine" in lines["yours"]
    assert "refused: line 1 column 2: not JSON" in lines["broken"]
    assert all(str(folder / f"{name}.json") in lines[name] for name in ("mine", "broken"))
    assert "\x1b" not in out


def test_indices_are_those_of_osc(nemod: Nemod, folder: Path) -> None:
    """The place in the list of all names, in natural order."""
    for number in (10, 1, 2):
        (folder / f"Yours {number}.json").write_text("{")
    rows = listed(nemod, "--library", folder)
    assert [row["index"] for row in rows.values()] == list(range(len(rows)))
    assert list(rows)[-4:] == ["yours", "Yours 1", "Yours 2", "Yours 10"]


def test_a_scan_says_what_it_did(nemod: Nemod, folder: Path) -> None:
    """Counts, refusals with their reasons, and that a folder is not in the library."""
    status, out, _ = nemod("scan", folder)
    assert status == 0
    assert f"refused: {folder / 'broken.json'}: line 1 column 2" in out
    assert "3 files: 3 read (1 refused), 0 unchanged, 0 gone" in out
    assert "is not in the library" in out
    (folder / "yours.json").unlink()
    status, out, _ = nemod("scan", "--library", folder, folder)
    assert "2 files: 0 read (0 refused), 2 unchanged, 1 gone" in out
    assert "is not in the library" not in out


def test_a_scan_of_nothing_is_an_error(nemod: Nemod, tmp_path: Path) -> None:
    """It names the folder."""
    status, _, errors = nemod("scan", tmp_path / "nothing")
    assert (status, errors) == (1, f"nemod: {tmp_path / 'nothing'}: no such folder\n")


def test_a_search_looks_for_all_words(nemod: Nemod, folder: Path) -> None:
    """In name, gear, author, tags and architecture; indices are those of the whole list."""
    nemod("tag", "--library", folder, "yours", "+live")
    for words, names in (
        (["zeta"], {"mine", "yours"}),
        (["ANN", "lstm"], {"mine", "yours"}),
        (["zeta live"], {"yours"}),
        (["min"], {"mine"}),
        (["gru20"], {name for name in ("drive-gru20",) if shipped(name)}),
    ):
        status, out, _ = nemod("search", "--json", "--library", folder, *words)
        found = {row["name"]: row["index"] for row in json.loads(out)}
        assert (status, set(found)) == (0, names)
        rows = listed(nemod, "--library", folder)
        assert all(rows[name]["index"] == index for name, index in found.items())


def test_a_search_without_result_is_an_error(nemod: Nemod, folder: Path) -> None:
    """With the most similar known word."""
    status, _, errors = nemod("search", "--library", folder, "zeeta")
    assert (status, errors) == (1, "nemod: no model has 'zeeta', did you mean 'zeta'?\n")


def test_info_says_everything(nemod: Nemod, folder: Path) -> None:
    """As lines for people, as JSON for programs."""
    _, out, _ = nemod("info", "--library", folder, "MINE")
    assert {"name", "architecture", "parameters", "gear", "licence", "file", "sha256"} <= {
        line.split()[0] for line in out.splitlines()
    }
    assert "\x1b" not in out
    _, out, _ = nemod("info", "--json", "--library", folder, "mine")
    facts = json.loads(out)
    assert (facts["name"], facts["dialect"], facts["parameters"]) == ("mine", "guitarml", 1201)
    assert (facts["metadata"]["description"], facts["same_as"]) == (
        "Diode clipper with tone filter, 24 dB of drive, no knobs",
        ["yours"],
    )
    _, out, _ = nemod("info", "--json", "--library", folder, "broken")
    assert json.loads(out)["last_error"].startswith("line 1 column 2: not JSON")


def test_a_mistyped_name_gets_the_nearest(nemod: Nemod, folder: Path) -> None:
    """In every command that takes a name."""
    for command in (["info"], ["remove"], ["verify"], ["tag"]):
        status, _, errors = nemod(*command, "--library", folder, "yors")
        assert status == 1
        assert "no model is named 'yors', did you mean 'yours'?" in errors


def test_models_are_added_once_and_removed(nemod: Nemod, folder: Path) -> None:
    """A duplicate and an unreadable file are reported; the others are copied."""
    files = [folder / f"{name}.json" for name in ("mine", "broken", "yours")]
    status, out, errors = nemod("add", *files)
    assert status == 1
    assert f"added as 'mine', {user_folder() / 'mine.json'}" in out
    assert "yours.json: a duplicate of 'mine'" in out
    assert errors.startswith(f"refused: {folder / 'broken.json'}: line 1 column 2")
    assert listed(nemod)["mine"]["author"] == "Ann [31mOther"
    status, out, _ = nemod("remove", "mine")
    assert (status, str(MODELS.removed_folder() / "mine.json") in out) == (0, True)
    assert "mine" not in listed(nemod)


def test_all_models_of_a_folder_are_added(nemod: Nemod, folder: Path) -> None:
    """Without hidden files, such as those that macOS puts on a stick."""
    (folder / "sub").mkdir()
    (folder / "mine.json").rename(folder / "sub" / "mine.json")
    for path in (folder / "._mine.json", folder / "sub" / "._mine.json", folder / "notes.txt"):
        path.write_bytes(b"\0\5\26\7Mac OS X")
    for name in ("broken", "yours"):
        (folder / f"{name}.json").unlink()
    status, out, errors = nemod("add", folder)
    assert (status, errors) == (0, "")
    assert f"sub/mine.json: added as 'mine', {user_folder() / 'mine.json'}" in out
    assert [path.name for path in user_folder().iterdir()] == ["mine.json"]
    (folder / "empty").mkdir()
    assert "no model file in this folder" in nemod("add", folder / "empty")[2]


def test_a_model_that_was_marked_unplayable_is_noted(nemod: Nemod, folder: Path) -> None:
    """In the list and, as the last error, in JSON."""
    Library([folder]).mark_unplayable("mine", "the build failed")
    _, out, _ = nemod("list", "--library", folder)
    (line,) = [line for line in out.splitlines() if line.split()[1] == "mine"]
    assert "cannot be played: the build failed" in line
    assert listed(nemod, "--library", folder)["mine"]["last_error"] == "the build failed"


def test_tags_are_given_and_taken(nemod: Nemod, folder: Path) -> None:
    """They are kept between calls; a tag is one word in any case."""
    library = ("--library", folder)
    assert nemod("tag", *library, "mine", "+Live", "+clean", "+v1.2")[1] == (
        "mine: clean, live, v1.2\n"
    )
    assert nemod("tag", *library, "mine", "-clean", "-never")[1] == "mine: live, v1.2\n"
    assert nemod("tag", *library, "yours")[1] == "yours: no tags\n"
    assert listed(nemod, *library)["mine"]["tags"] == ["live", "v1.2"]


@pytest.mark.parametrize(
    "change", ["live", "+", "+two words", "--library", "+a\x1b", "+" + "a" * 41]
)
def test_what_is_no_tag_is_wrong_usage(nemod: Nemod, folder: Path, change: str) -> None:
    """The message says what a tag is."""
    status, _, errors = nemod("tag", "--library", folder, "mine", change)
    assert status == 2
    assert "+TAG adds a tag and -TAG removes it" in errors


def test_verify_plays_the_probe_and_keeps_the_result(nemod: Nemod, folder: Path) -> None:
    """A file whose probe fails is reported and marked."""
    document = json.loads((folder / "mine.json").read_text())
    document["probe"]["output"][10] += 0.5
    (folder / "wrong.json").write_text(json.dumps(document))
    del document["probe"]
    (folder / "silent.json").write_text(json.dumps(document))
    names = ("mine", "wrong", "silent", "broken")
    status, out, _ = nemod("verify", "--library", folder, *names)
    assert status == 1
    assert "mine: the probe passed, largest error " in out
    assert "wrong: the probe failed: the probe inside the file does not come out" in out
    assert "silent: its file has no probe" in out
    assert "4 models: 1 failed, 1 without a probe, 1 passed, 1 refused" in out
    rows = listed(nemod, "--library", folder)
    assert [rows[name]["probe"] for name in (*names[:3], "yours")] == [
        "passed",
        "failed",
        "none",
        "untried",
    ]
    assert rows["mine"]["probe_error"] < 1e-5
    assert rows["wrong"]["last_error"] == rows["wrong"]["probe_reason"] != ""


def test_an_unknown_command_is_wrong_usage(nemod: Nemod) -> None:
    """The nearest command and all of them are named."""
    status, _, errors = nemod("serch")
    assert status == 2
    assert "nemod models serch: unknown command, did you mean 'search'?" in errors


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """All of them."""
    assert main(["models", "--help"]) == 0
    out = capsys.readouterr().out
    assert all(f"nemod models {word}" in out for word in ("scan", "add", "tag", "verify"))


def test_without_an_index_there_are_names(nemod: Nemod, folder: Path) -> None:
    """A folder that cannot be written does not hide the models."""
    data = user_folder().parent
    data.parent.mkdir(parents=True, exist_ok=True)
    data.write_text("not a folder")
    status, out, errors = nemod("--library", folder)
    assert status == 0
    assert "mine" in out
    assert "the index of models" in errors


def test_a_damaged_index_is_moved_aside(nemod: Nemod, folder: Path) -> None:
    """The list is the same, and the log says where the old index is."""
    before = nemod("--library", folder)[1]
    index = user_folder().parent / "library.db"
    index.write_bytes(b"damaged" * 1000)
    status, out, errors = nemod("--library", folder)
    assert (status, out) == (0, before)
    assert "index of models moved aside" in errors


def test_what_is_prepared_is_what_will_be_played(
    nemod: Nemod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Models in their size with the cabinet, and the chains of presets whose files are there."""
    requests: list[BuildRequest] = []

    def record(request: BuildRequest) -> BuildFailure:
        requests.append(request)
        return BuildFailure(request_id=request.request_id, reason="as asked")

    monkeypatch.setattr("nemod.builder.answer.answer", record)
    lines = {
        "000": "chain: [{model: {file: clipper-lstm16}}, delay, {cab: {file: sim-bass-1x15}}]",
        "001": "chain: [{model: {file: no-such-amp}}]",
    }
    for number, line in lines.items():
        (tmp_path / f"{number}.yaml").write_text(f"version: 2\nname: Own {number}\n{line}\n")
    options = ("--presets", tmp_path, "--cab", "sim-closed-2x12", "--size", "0.25")
    status, out, _ = nemod("prepare", *options)
    assert status == 1
    assert "left out: preset Own 001: slot 'model': its model 'no-such-amp'" in out
    assert "refused: preset Own 000: as asked" in out
    by_slots = {tuple(slot.name for slot in request.chain): request for request in requests}
    own = by_slots["model", "delay", "cab"]
    stems = {slot: Path(file).stem for slot, file in own.files.items()}
    assert stems == {"model": "clipper-lstm16", "cab": "sim-bass-1x15"}
    first = requests[0]
    assert (first.chain["model"].size, Path(first.files["cab"]).stem) == (0.25, "sim-closed-2x12")
    requests.clear()
    nemod("prepare", "clipper-lstm16", *options)
    assert [Path(request.files["model"]).stem for request in requests] == ["clipper-lstm16"]


def test_models_are_prepared_once(
    nemod: Nemod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their programs are in the cache, and a second run finds them there; damage is reported."""
    monkeypatch.setenv("NEMOD_CACHE", str(tmp_path / "cache"))
    model = shipped("clipper-lstm16")
    status, out, _ = nemod("prepare", model.stem, "--block", "32")
    assert (status, "1 built, 0 were ready, 0 refused" in out) == (0, True), out
    assert list((tmp_path / "cache").glob("*.program"))
    status, out, _ = nemod("prepare", model.stem, "--block", "32")
    assert (status, "0 built, 1 were ready, 0 refused" in out) == (0, True), out
    folder = tmp_path / "others"
    folder.mkdir()
    (folder / "broken.json").write_text("{")
    status, out, _ = nemod("prepare", "broken", "--library", folder)
    assert (status, "refused: broken" in out) == (1, True), out
