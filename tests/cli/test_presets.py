"""`nemod presets ...` as a user calls it."""

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from nemod.presets import PresetStore, user_folder
from nemod.presets.reader import parse
from nemod.presets.writer import to_text
from tests.chains import chain_of
from tests.cli.conftest import Nemod
from tests.presets.conftest import LEAD

FACTORY = 6
"""Presets that ship."""


@pytest.fixture
def mine() -> PresetStore:
    """Return the user's presets: number 9 is named `Lead`, and its model is missing."""
    store = PresetStore(user_folder())
    store.save(9, LEAD)
    return store


def again() -> PresetStore:
    """Return the user's presets as they are on the disk now."""
    return PresetStore(user_folder())


def test_the_list_says_which_models_are_there(
    nemod: Nemod, mine: PresetStore, two_knobs: Path, tmp_path: Path
) -> None:
    """By name, or after a rename by the content; and whose a preset is."""
    folder = tmp_path / "amps"
    folder.mkdir()
    shutil.copy(two_knobs, folder / "renamed.json")
    listed = nemod("models", "list", "--json", "--library", folder)
    sha256 = next(row["sha256"] for row in json.loads(listed.out) if row["name"] == "renamed")
    mine.save(10, replace(LEAD, name="Old name", chain=chain_of("amp", sha256=sha256)))
    mine.save(
        11,
        replace(
            LEAD, name="Changed", chain=chain_of("drive-gru20", sha256=LEAD.chain["model"].sha256)
        ),
    )
    mine.save(12, replace(LEAD, name="Dry", chain=chain_of()))
    for word in ([], ["list"]):
        status, out, err = nemod("presets", *word, "--library", folder)
        rows = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()}
        assert (status, err, len(rows)) == (0, "", 1 + FACTORY + 4)
        assert rows["0"].endswith("found factory")
        assert rows["9"] == "Lead muffcond-gru40 found, with other content own"
        assert rows["10"] == "Old name amp found as renamed own"
        assert rows["11"] == "Changed drive-gru20 found, with other content own"
        assert rows["12"] == "Dry - no model own"
    plain = json.loads(nemod("presets", "list", "--json", "--library", folder).out)
    files = [(row["number"], row["files"]["model"]["found"]) for row in plain[FACTORY + 1 :][:2]]
    assert files == [
        (10, "renamed"),
        (11, "drive-gru20"),
    ]


def test_a_model_that_is_not_there_is_missing(nemod: Nemod, mine: PresetStore) -> None:
    """Neither its name nor its content is in the library."""
    mine.save(9, replace(LEAD, chain=chain_of("gone", sha256="0" * 64)))
    assert "missing" in nemod("presets").out.splitlines()[-1]
    status, out, _ = nemod("presets", "show", "lead")
    assert status == 0
    assert "gone: missing" in out
    assert "+9.6 dB" in out  # the gain's 0.7 of -24..24 dB; which knob it would be is not known


def test_a_preset_is_shown_in_units(nemod: Nemod, mine: PresetStore) -> None:
    """By number or name; the model's knobs have the names of its file."""
    for which in (9, "LEAD"):
        status, out, _ = nemod("presets", "show", which)
        lines = [" ".join(line.split()) for line in out.splitlines()]
        assert status == 0
        assert lines[:4] == [
            "number 9",
            "name Lead",
            "origin own",
            "model muffcond-gru40: found, with other content, size 0.10",
        ]
        assert "snapshots 0, 7" in lines
        assert lines[-4:] == [
            "sustain 0.70 0.7000 /nemo/gain",
            "Delay time 350 ms 0.7708 /nemo/delay/time",  # 2000 ** 0.7708
            "Delay sync on 1.0000 /nemo/delay/sync",
            "tone 0.33 0.3333 /nemo/knob/3",
        ]
    assert json.loads(nemod("presets", "show", "9", "--json").out)["positions"] == LEAD.positions


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (["show", "Laed"], 1, "no preset is named 'Laed', did you mean 'Lead'?"),
        (["show", "77"], 1, "no preset has number 77; there are 0, 1, 2, 3, 4, 5, 9"),
        (["copy", "9", "128"], 2, "'128': 0 to 127 are allowed"),
        (["copy", "9", "-1"], 2, "'-1': 0 to 127 are allowed"),
        (["shwo"], 2, "unknown command, did you mean 'show'?"),
        (["import", "--number", "3", "a", "b"], 2, "--number is for one file"),
        (["import", "nowhere.yaml"], 1, "nowhere.yaml: No such file"),
        (["export", "9", "no/such/folder.yaml"], 1, "No such file"),
    ],
)
def test_wrong_words_are_explained(
    nemod: Nemod, mine: PresetStore, words: list[str], status: int, complaint: str
) -> None:
    """In one line."""
    ended, out, err = nemod("presets", *words)
    assert (ended, out, err.count("\n")) == (status, "", 1)
    assert complaint in err


def test_a_copy_never_replaces_unless_it_must(nemod: Nemod, mine: PresetStore) -> None:
    """Neither a preset of the user nor one that ships; names stay unique."""
    assert nemod("presets", "copy", "9", "20").out == "preset 20: 'Lead 2'\n"
    for number, whose in ((20, "of yours"), (0, "that ships with nemod")):
        status, _, err = nemod("presets", "copy", "9", number)
        assert status == 1
        assert f"a preset {whose}; --force takes its place" in err
    assert nemod("presets", "copy", "9", "0", "--force").out == "preset 0: 'Lead 3'\n"
    assert nemod("presets", "copy", "1", "1", "--force").status == 0
    assert again().get(0) == replace(LEAD, name="Lead 3")
    assert [entry.number for entry in again().entries() if not entry.is_factory] == [0, 1, 9, 20]


def test_what_is_exported_is_imported(
    nemod: Nemod, mine: PresetStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file named like the preset, at the first free number of another folder."""
    monkeypatch.chdir(tmp_path)
    mine.save(9, replace(LEAD, name="../Ünder: 50%"))
    assert nemod("presets", "export", "9").status == 0
    file = tmp_path / "009-..-Ünder--50-.yaml"
    assert file.read_text() == to_text(mine.get(9))
    status, _, err = nemod("presets", "export", "9")
    assert (status, "exists; --force replaces it" in err) == (1, True)
    assert nemod("presets", "export", "9", "--force").status == 0
    assert nemod("presets", "import", file, "--presets", tmp_path / "other").out == (
        f"preset {FACTORY}: '../Ünder: 50%'\n"
    )
    assert PresetStore(tmp_path / "other").get(FACTORY) == mine.get(9)


def test_presets_pass_through_pipes(
    nemod: Nemod, mine: PresetStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`-` is standard output, and standard input."""
    text = nemod("presets", "export", "lead", "-").out
    assert parse(text, "") == LEAD
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    assert nemod("presets", "import", "-", "--number", "30").out == "preset 30: 'Lead 2'\n"
    assert again().get(30) == replace(LEAD, name="Lead 2")


def test_an_import_replaces_with_force_only(
    nemod: Nemod, mine: PresetStore, tmp_path: Path
) -> None:
    """And the version before is kept."""
    file = tmp_path / "new.yaml"
    file.write_text("version: 1\nname: New")
    status, _, err = nemod("presets", "import", file, "--number", 9)
    assert (status, "number 9 is 'Lead'" in err) == (1, True)
    assert again().get(9) == LEAD
    assert nemod("presets", "import", file, "--number", 9, "--force").status == 0
    assert again().get(9).name == "New"
    assert parse((user_folder() / "previous" / "009.yaml").read_text(), "") == LEAD


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"name: &a x\nmodel: *a", "aliases are not allowed"),
        (b"name: !!python/name:os.system x", "tags are not allowed"),
        (b"#" * 65_537, "larger than 65536 bytes"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[]", "keys"),
        (b"version: 2\nname: x\nchain: [{model: {file: ../../etc/passwd}}]", "not a path"),
        (b"version: 2\nname: x\nchain: [{model: {file: 'C:\\amp'}}]", "not a path"),
    ],
)
def test_a_file_that_is_no_plain_preset_is_refused(
    nemod: Nemod, tmp_path: Path, content: bytes, complaint: str
) -> None:
    """Then no other file of the same command is imported either."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(to_text(LEAD))
    bad.write_bytes(content)
    status, out, err = nemod("presets", "import", good, bad)
    assert (status, out) == (1, "")
    assert str(bad) in err
    assert complaint in err
    assert not user_folder().exists()


def test_a_preset_without_a_name_is_named_like_its_file(nemod: Nemod, tmp_path: Path) -> None:
    """As far as a file's name can be a preset's."""
    for stem in ("  my\tpreset\x1b ", "x" * 100):
        (tmp_path / f"{stem}.yaml").write_text("version: 1\n")
    assert nemod("presets", "import", *sorted(tmp_path.glob("*.yaml"))).out == (
        f"preset 6: 'my preset'\npreset 7: '{'x' * 64}'\n"
    )


def test_when_all_numbers_are_taken_nothing_is_imported(nemod: Nemod, tmp_path: Path) -> None:
    """128 presets are all that MIDI can select."""
    user_folder().mkdir(parents=True)
    for number in range(FACTORY, 127):
        (user_folder() / f"{number:03d}.yaml").write_text(f"version: 1\nname: P{number}")
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(to_text(LEAD))
    status, out, err = nemod("presets", "import", tmp_path / "a.yaml", tmp_path / "b.yaml")
    assert (status, out) == (1, "")
    assert "all 128 presets are taken" in err
    assert nemod("presets", "import", tmp_path / "a.yaml").out == "preset 127: 'Lead'\n"


def test_a_damaged_preset_stays_where_it_is_until_its_number_is_used(
    nemod: Nemod, mine: PresetStore, tmp_path: Path
) -> None:
    """A list must not rename a file that its user is writing."""
    path = user_folder() / "009.yaml"
    path.write_text("name: [")
    listed = nemod("presets", "list")
    assert listed.status == 0
    assert "preset not read" in listed.err
    assert path.read_text() == "name: ["
    assert nemod("presets", "copy", "0", "9").status == 0
    assert path.with_name("009.yaml.damaged-1").read_text() == "name: ["


def test_a_folder_can_be_chosen(nemod: Nemod, tmp_path: Path) -> None:
    """With an option."""
    PresetStore(tmp_path / "gig").save(100, LEAD)
    assert "100" in nemod("presets", "--presets", tmp_path / "gig").out
    assert "100" not in nemod("presets").out


def test_help_lists_the_commands(nemod: Nemod) -> None:
    """And each has its own."""
    out = nemod("presets", "--help").out
    for word in ("list", "show", "copy", "export", "import"):
        assert f"nemod presets {word}" in out.replace("[list]", "list")
        assert "--presets" in nemod("presets", word, "--help").out
