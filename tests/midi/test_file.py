"""The file of bindings: read leniently, written so that it is read again, edited meanwhile."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import structlog
import yaml

from nemod.common.kept_files import DamagedFileError
from nemod.midi.binding import ANY_PROGRAM, Binding, Curve, Encoding, Mode, Pull
from nemod.midi.messages import Kind
from nemod.midi.reader import CHECKS, BindingFile, parse
from nemod.midi.store import BindingStore
from nemod.midi.targets import target_problem
from nemod.midi.writer import to_text

EVERYTHING = BindingFile(
    bindings=(
        Binding(kind=Kind.CC, number=20, target="gain", device='a "b": #c', port="MIDI 1"),
        Binding(
            kind=Kind.CC,
            number=16,
            channel=3,
            target="bass",
            encoding=Encoding.TWOS_COMPLEMENT,
            step=0.02,
        ),
        Binding(kind=Kind.CC, number=1, target="mid", encoding=Encoding.FOURTEEN_BIT, echo=True),
        Binding(
            kind=Kind.CC,
            number=11,
            target="level",
            low=3,
            high=120,
            curve=Curve.SLOW,
            range=(0.0, 0.75),
            takeover=False,
            invert=True,
        ),
        Binding(
            kind=Kind.CC, number=80, target="bypass", mode=Mode.LATCH, long="tempo/tap", hold_s=1.0
        ),
        Binding(kind=Kind.NOTE, number=36, target="preset/load", value=3.0),
        Binding(kind=Kind.PROGRAM, number=ANY_PROGRAM, target="model/load", bank=1, offset=-1),
        Binding(kind=Kind.PROGRAM, number=5, target="panic"),
        Binding(kind=Kind.BEND, target="delay/mix"),
        Binding(kind=Kind.PRESSURE, target="reverb/mix"),
        Binding(kind=Kind.KEY, number=109, target="preset/next", device="PageFlip"),
        Binding(kind=Kind.KEY, number=2, target="preset/prev", device="PageFlip"),
        Binding(kind=Kind.PIN, number=17, target="mute", pull=Pull.OFF, mode=Mode.MOMENTARY),
        Binding(kind=Kind.PIN, number=3, target="shutdown", hold_s=2.0),
        Binding(kind=Kind.PIN, number=5, target="mute", long="shutdown", hold_s=2.0),
        Binding(kind=Kind.ENCODER, number=22, second=23, target="tempo/bpm"),
    ),
    has_defaults=False,
    clock="off",
    inputs=("AirTurn",),
)


def test_what_is_written_is_read_again() -> None:
    """Every kind of control and every key."""
    text = to_text(EVERYTHING)
    assert parse(text) == EVERYTHING
    assert len(yaml.safe_load(text)["bindings"]) == len(EVERYTHING.bindings)


def test_an_empty_file_is_the_defaults() -> None:
    """As is one without a list."""
    assert parse("") == parse("version: 1\nbindings:\n") == BindingFile()
    assert parse(to_text(BindingFile())) == BindingFile()


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("cc: 128\n    target: gain", "a whole number from 0 to 127 is expected"),
        ("cc: 7", "a target is expected"),
        ("target: gain", "one of cc, note, program"),
        ("cc: 7\n    note: 3\n    target: gain", "one of cc, note, program"),
        ("cc: 7\n    target: gain\n    mode: sticky", "toggle, momentary, latch"),
        (
            "cc: 7\n    target: gain\n    encoding: twos complement",
            "twos-complement, binary-offset",
        ),
        ("cc: 40\n    target: gain\n    encoding: 14-bit", "controllers 0 to 31"),
        ("note: 40\n    target: gain\n    encoding: 14-bit", "for controllers"),
        ("cc: 7\n    target: gain\n    low: 9\n    high: 9", "low and high are the same"),
        ("cc: 7\n    target: gain\n    high: 1000", "at most 127"),
        ("cc: 7\n    target: gain\n    range: 0.5", "two positions"),
        ("cc: 7\n    target: gain\n    range: [0, 2]", "a number from 0 to 1"),
        ("cc: 7\n    target: gain\n    channel: 17", "from 1 to 16"),
        ("key: PAGEDOWN\n    target: preset/next", "nemod midi list"),
        ("note: 3\n    target: preset/load", "the number to load"),
        ("key: NOKEY\n    device: x\n    target: preset/next", "such as PAGEDOWN"),
        ("encoder: [4, 4]\n    target: gain", "two different pins"),
        ("cc: 7\n    target: gain\n    value: .nan", "a number from 0"),
        ("program: 3\n    target: shutdown", "a switch (cc, note, key, pin) is expected"),
        ("program: 3\n    target: mute\n    long: shutdown", "a program has no long press"),
        ("pin: 3\n    target: shutdown\n    hold_s: 1.9", "at least 2 s"),
        ("pin: 3\n    target: mute\n    long: shutdown\n    hold_s: 0.6", "at least 2 s"),
    ],
)
def test_an_entry_with_a_mistake_is_logged_and_kept(entry: str, problem: str) -> None:
    """It does nothing, the others work, and it is still in the file after learning."""
    with structlog.testing.capture_logs() as logs:
        file = parse(f"bindings:\n  - cc: 20\n    target: bass\n  - {entry}\n")
    assert [one.number for one in file.bindings] == [20]
    (line,) = logs
    assert problem in line["reason"]
    again = yaml.safe_load(to_text(file))["bindings"]
    assert repr(again[1]) == repr(yaml.safe_load(f"  - {entry}")[0])


def test_unknown_keys_survive() -> None:
    """Those of the file and those of a binding."""
    text = "colour: [1, {a: b}]\nbindings:\n  - cc: 20\n    target: bass\n    led: {on: red}\n"
    with structlog.testing.capture_logs() as logs:
        file = parse(text)
    assert {line["key"] for line in logs} == {"'colour'", "'bindings[1].led'"}
    again = yaml.safe_load(to_text(file))
    assert again["colour"] == [1, {"a": "b"}]
    assert again["bindings"][0]["led"] == {"on": "red"}


@pytest.mark.parametrize(
    "text",
    ["bindings: [", "- 1", "a: &b 1\nc: *b", "bindings: !!python/name:os.system", "x" * 70000],
)
def test_what_is_no_plain_mapping_is_damaged(text: str) -> None:
    """Aliases and tags are refused, too."""
    with pytest.raises(DamagedFileError):
        parse(text)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "nemod" / "bindings.yaml"


def add(number: int) -> object:
    binding = Binding(kind=Kind.CC, number=number, target="gain")
    return lambda file: replace(file, bindings=(*file.bindings, binding))


def test_a_change_is_on_the_disk_with_the_version_before_it(path: Path) -> None:
    """The folder is made; another store reads the same."""
    store = BindingStore(path)
    store.change(add(20))  # type: ignore[arg-type]
    before = path.read_text()
    store.change(add(21))  # type: ignore[arg-type]
    assert [one.number for one in BindingStore(path).load().bindings] == [20, 21]
    assert path.with_name("bindings.yaml.previous").read_text() == before
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "bindings.yaml",
        "bindings.yaml.previous",
    ]


def test_a_change_keeps_what_somebody_has_edited_meanwhile(path: Path) -> None:
    """The file is read again before it is written."""
    store = BindingStore(path)
    store.change(add(20))  # type: ignore[arg-type]
    assert not store.is_changed
    path.write_text("bindings:\n  - {note: 5, target: panic}\n")
    assert store.is_changed
    store.change(add(21))  # type: ignore[arg-type]
    assert [one.control for one in store.content.bindings] == ["note 5", "cc 21"]
    assert not store.is_changed


def test_a_file_that_cannot_be_parsed_stays_until_something_is_learned(path: Path) -> None:
    """While it is edited, the bindings before the mistake are used; learning moves it aside."""
    store = BindingStore(path)
    store.change(add(20))  # type: ignore[arg-type]
    path.write_text("bindings: [\n")
    with structlog.testing.capture_logs() as logs:
        assert [one.number for one in store.load().bindings] == [20]
        assert path.read_text() == "bindings: [\n"
        store.change(add(21))  # type: ignore[arg-type]
    assert [line["event"] for line in logs] == [
        "bindings not read",
        "damaged bindings moved aside",
    ]
    assert "line" in logs[0]["reason"]
    assert path.with_name("bindings.yaml.damaged-1").read_text() == "bindings: [\n"
    assert [one.number for one in BindingStore(path).load().bindings] == [20, 21]


def test_a_pipe_in_place_of_the_file_does_not_block(path: Path) -> None:
    """Nor does a folder."""
    import os

    path.parent.mkdir()
    os.mkfifo(path)
    with structlog.testing.capture_logs() as logs:
        assert BindingStore(path).load() == BindingFile()
    assert logs[0]["reason"] == "not a regular file"


def test_where_nothing_can_be_written_nothing_changes(path: Path) -> None:
    """A folder in the way: an error, and the bindings as they were."""
    store = BindingStore(path / "bindings.yaml")
    path.parent.mkdir()
    path.write_text("")
    with pytest.raises(OSError, match=r"[Nn]ot a directory|File exists"):
        store.change(add(20))  # type: ignore[arg-type]
    assert store.content == BindingFile()


def test_the_examples_of_the_page_are_read_without_a_word() -> None:
    """Every block of YAML in docs/midi.md, and every key of a binding is explained there."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "midi.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 5
    with structlog.testing.capture_logs() as logs:
        for block in blocks:
            assert parse(block).bindings
    assert logs == []
    assert [key for key in CHECKS if f"`{key}" not in page and f"{key}:" not in page] == []


@pytest.mark.parametrize("target", ["echo/mix", "amp/knob/tone", "knob/bias", "gain", "model/next"])
def test_a_control_of_a_slot_may_wait_for_its_chain(target: str) -> None:
    """A preset brings it; a name that no slot can have is a mistake."""
    assert target_problem(target) == ""
    assert "no such parameter" in target_problem("tuner/mix")
