"""The text of a preset's file: what is written is read, and what is odd is read leniently."""

from dataclasses import replace
from typing import Any

import pytest
import structlog
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nemod.chain import DEFAULT_CHAIN, Chain, Slot, plain_chain, read_chain
from nemod.common.kept_files import DamagedFileError
from nemod.parameters.parameter_set import ParameterSet, is_in_preset
from nemod.presets import Preset, PresetError
from nemod.presets.preset import MAX_BYTES, MAX_NAME, MAX_SNAPSHOTS, name_problem
from nemod.presets.reader import parse
from nemod.presets.writer import to_text
from tests.chains import BOARD, chain_of
from tests.presets.conftest import LEAD, SOUND


def with_hashes_of_files_alone(chain: Chain) -> Chain:
    """Return a chain in which no empty slot has a hash: none is written."""
    for slot in chain:
        if not slot.file and slot.sha256:
            chain = chain.with_slot(replace(slot, sha256=""))
    return chain


NAMES = st.text(max_size=MAX_NAME).filter(lambda name: not name_problem(name))
POSITIONS = st.dictionaries(st.sampled_from(SOUND), st.floats(0.0, 1.0))
SHA256 = st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64)
FILE_NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
CHAINS = st.builds(
    chain_of,
    st.just("") | FILE_NAMES,
    sha256=SHA256,
    size=st.none() | st.floats(0.0, 1.0),
    cab=st.just("") | FILE_NAMES,
    cab_sha256=SHA256,
).map(with_hashes_of_files_alone)
PRESETS = st.builds(
    Preset,
    name=NAMES,
    chain=CHAINS,
    positions=POSITIONS,
    snapshots=st.dictionaries(st.integers(0, MAX_SNAPSHOTS - 1), POSITIONS),
)
BOARD_PATHS = [path for path in ParameterSet(BOARD) if is_in_preset(path)] + ["model2/knob/3"]
AWKWARD = ["5150", "on", "~", "null", "1e3", "2024-01-01", "a: b", "# x", "- y", "'", '"\\', "é 😀"]


def read(text: str) -> Preset:
    """Read a text in which nothing may be skipped."""
    with structlog.testing.capture_logs() as logs:
        preset = parse(text, "no name")
    assert logs == []
    return preset


def skipped(text: str) -> tuple[Preset, list[Any]]:
    """Read a text; return the preset and the keys that were skipped."""
    with structlog.testing.capture_logs() as logs:
        preset = parse(text, "no name")
    return preset, [str(entry["key"]).strip("'") for entry in logs if "key" in entry]


@given(PRESETS)
@settings(deadline=None)
def test_what_is_written_is_read(preset: Preset) -> None:
    """Every float survives exactly."""
    assert read(to_text(preset)) == preset


@given(st.dictionaries(st.sampled_from(BOARD_PATHS), st.floats(0.0, 1.0)))
@settings(deadline=None)
def test_a_preset_of_any_chain_is_read(positions: dict[str, float]) -> None:
    """With a split, two models and two delays; any reader of YAML sees the same."""
    preset = Preset(name="Board", chain=BOARD, positions=positions, snapshots={1: positions})
    assert read(to_text(preset)) == preset
    tree = yaml.safe_load(to_text(preset))
    assert read_chain(tree["chain"]) == BOARD
    assert tree["positions"] == positions


@pytest.mark.parametrize("name", ["y", "no", "on", "off", "null", "true"])
def test_slots_may_be_called_as_yaml_calls_other_things(name: str) -> None:
    """YAML 1.1 takes an unquoted `on` for a truth value."""
    chain = read_chain([{name: {"kind": "delay"}}])
    preset = Preset(name="x", chain=chain)
    assert yaml.safe_load(to_text(preset))["chain"] == [{name: {"kind": "delay"}}]
    assert read(to_text(preset)) == preset


@pytest.mark.parametrize("name", AWKWARD)
def test_names_are_texts_for_every_reader(name: str) -> None:
    """PyYAML alone, which takes an unquoted `on` for a truth value, gets them back too."""
    preset = replace(LEAD, name=name, chain=chain_of(name))
    tree = yaml.safe_load(to_text(preset))
    assert (tree["name"], tree["chain"][2]["model"]["file"]) == (name, name)
    assert read(to_text(preset)) == preset


@pytest.mark.parametrize("position", [0.0, 1.0, 1e-05, 5e-324, 0.1 + 0.2, 1 / 3])
def test_numbers_are_numbers_for_every_reader(position: float) -> None:
    """YAML 1.1 takes `1e-05` for a text."""
    tree = yaml.safe_load(to_text(replace(LEAD, positions={"mid": position})))
    assert tree["positions"] == {"mid": position}


def test_a_wrong_slot_is_skipped_and_the_rest_is_read() -> None:
    """Each problem is logged, and no other slot is lost."""
    text = "version: 2\nname: A\nchain: [gate, 7, {cab: {file: [1], sha256: 12, mic: 2}}, dely]"
    preset, keys = skipped(text)
    assert (plain_chain(preset.chain), keys) == (["gate", "cab"], ["chain"] * 5)


def test_without_a_chain_it_is_the_default_one() -> None:
    """Without a model and a cabinet; an empty list is an empty chain."""
    assert read("version: 2\nname: A").chain == DEFAULT_CHAIN
    assert read("version: 2\nname: A\nchain: []").chain == Chain(())


def test_a_file_is_readable() -> None:
    """One line per parameter, in the table's order, with the value in its unit."""
    assert to_text(LEAD).splitlines()[1:] == [
        "version: 2",
        'name: "Lead"',
        "chain:",
        "  - gate",
        "  - comp",
        "  - model:",
        '      file: "muffcond-gru40"',
        f'      sha256: "{LEAD.chain["model"].sha256}"',
        "      size: 0.1",
        "  - cab",
        "  - eq",
        "  - delay",
        "  - reverb",
        "positions:",
        # 0.7 of -24..24 dB; 2000 ** 0.7708 ms
        "  gain: 0.7  # knob 1 of the model; +9.6 dB where it has none",
        "  delay/time: 0.7708  # 350 ms",
        "  delay/sync: 1.0  # on",
        "  knob/3: 0.3333333333333333  # knob 3 of the model",
        "snapshots:",
        "  0:",
        "    gain: 0.1  # knob 1 of the model; -19.2 dB where it has none",
        "  7: {}",
    ]


@pytest.mark.parametrize("text", AWKWARD[:6])
def test_an_unquoted_name_is_what_was_written(text: str) -> None:
    """`name: 5150` is no number."""
    preset = read(f"version: 2\nname: {text}\nchain: [{{model: {{file: {text}}}}}]\n")
    assert (preset.name, preset.chain["model"].file) == (text, text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "keys"),
        ("- name", "keys"),
        ("name", "keys"),
        ("name: a: b", "line 1, column 8: not YAML"),
        ("name: &a x\nchain: [*a]", "aliases are not allowed"),
        ("name: !!str x", "tags are not allowed"),
        ("name: ! x", "tags are not allowed"),
        ("!!map {name: x}", "tags are not allowed"),
        ("a: !!python/object/apply:os.system [id]", "tags are not allowed"),
        ("a: " + "[" * 5000, "nested too deeply"),
        ("name: x\n#" + "x" * MAX_BYTES, "larger than 65536 bytes"),
        ("a: 1\n---\nb: 2", "not YAML"),
    ],
)
def test_what_is_not_plain_yaml_is_damaged(text: str, complaint: str) -> None:
    """Nothing of such a file can be trusted."""
    with pytest.raises(DamagedFileError, match=complaint):
        parse(text, "no name")


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("version: 1", "version"),
        ("version: true", "version"),
        ("name: [x]", "name"),
        ('name: "a\\nb"', "name"),
        (f"name: {'x' * (MAX_NAME + 1)}", "name"),
        ("chain: x", "chain"),
        ("chain: [eq, {model: [x]}]", "chain"),
        ("chain: [eq, {model: {file: {a: 1}}}]", "chain"),
        ('chain: [eq, {model: {file: "a\\x07"}}]', "chain"),
        ("chain: [eq, {model: {file: amp, sha256: 12}}]", "chain"),
        ("chain: [eq, {model: {file: amp, size: 1.5}}]", "chain"),
        ("chain: [eq, {model: {file: amp, author: x}}]", "chain"),
        ("positions: 3", "positions"),
        ("positions: {mid: 0.25, bass: 1.01}", "positions.bass"),
        ("positions: {mid: 0.25, bass: -0.01}", "positions.bass"),
        ("positions: {mid: 0.25, bass: .nan}", "positions.bass"),
        ('positions: {mid: 0.25, bass: "1"}', "positions.bass"),
        ("positions: {mid: 0.25, bass: on}", "positions.bass"),
        ("positions: {mid: 0.25, bass: [0.5]}", "positions.bass"),
        ("snapshots: [1]", "snapshots"),
        ("snapshots: {0: 1}", "snapshots.0"),
        ("snapshots: {0: {mid: 2}}", "snapshots.0.mid"),
    ],
)
def test_a_wrong_value_takes_its_default_and_the_rest_is_read(line: str, key: str) -> None:
    """A warning names the key; nothing else is lost."""
    given = {line.partition(":")[0]: line}
    lines = {"version": "version: 2", "name": "name: Lead", "positions": "positions: {mid: 0.25}"}
    preset, keys = skipped("\n".join((lines | given).values()))
    assert keys == [key]
    assert preset.name == ("no name" if key == "name" else "Lead")
    assert preset.positions == ({} if key == "positions" else {"mid": 0.25})
    if "file: amp" in line:
        assert preset.chain == Chain(
            (Slot(name="eq", kind="eq"), Slot(name="model", kind="model", file="amp"))
        )


def test_positions_by_other_paths_are_read_under_the_canonical_one() -> None:
    """`knob/1` is `gain`; where both are given, `gain` counts."""
    text = "version: 2\nname: x\npositions: {knob/1: 0.1, gain: 0.2, knob/2: 0.3}"
    assert read(text).positions == {"gain": 0.2, "level": 0.3}


UNKNOWN = """\
version: 2
name: Lead
positions: {mid: 0.25, fuzz/bias: 0x1F, knob/65: [on, 'on'], input: 0.5, mute: 1}
snapshots:
  1: {mid: 1, fuzz/bias: 0.25}
  8: {mid: 1}
  names: [clean, 0777]
cab: {load: 5150, since: 2024-01-01, parts: [~, 1e3, 1.5, {}, []], "": "é\\n\\u2028"}
on: off
"""


def test_what_this_version_does_not_know_is_written_back() -> None:
    """With a few warnings, and without a change of type; the room's trims stay out of the sound."""
    preset, keys = skipped(UNKNOWN)
    assert preset.positions == {"mid": 0.25}
    assert preset.snapshots == {1: {"mid": 1.0}}
    assert keys[:5] == [
        *("positions.fuzz/bias", "positions.knob/65", "positions.input", "positions.mute"),
        "snapshots.1.fuzz/bias",
    ]
    assert len(keys) == 5  # of ten; how many more there are is logged too
    written = to_text(replace(preset, positions={"mid": 0.5}, name="New"))
    expected = yaml.safe_load(UNKNOWN) | {"name": "New", "chain": plain_chain(DEFAULT_CHAIN)}
    expected["positions"]["mid"] = 0.5
    # The key `on` is a truth value for PyYAML as long as it has no quotes.
    expected["on"] = expected.pop(True)
    expected["snapshots"] = {
        key if key == 1 else str(key): value for key, value in expected["snapshots"].items()
    }
    assert yaml.safe_load(written) == expected
    assert skipped(written)[0] == replace(preset, positions={"mid": 0.5}, name="New")


@pytest.mark.parametrize("value", ["[" * 40 + "]" * 40, f"{{? {'k' * 101} : 1}}"])
def test_what_could_not_be_read_again_is_lost_and_nothing_else(value: str) -> None:
    """Deep nesting, and keys longer than YAML allows in one line."""
    preset, keys = skipped(f"version: 2\nname: Lead\ncab: {value}\namp: 1")
    assert keys == ["cab", "amp"]
    assert list(preset.unknown) == ["amp"]
    assert read(to_text(replace(preset, unknown={}))).name == "Lead"


def test_unknown_values_never_make_a_file_too_large() -> None:
    """It grows by quotes and comments when it is written again."""
    text = "version: 2\nname: Lead\ncab: [" + "1,a," * 15_000 + "1]"
    assert len(text) < MAX_BYTES
    preset, _ = skipped(text)
    assert read(to_text(preset)) == Preset(name="Lead")


def test_the_largest_sound_fits() -> None:
    """All knobs and snapshots at their longest; far longer names are an error."""
    every = {path: 1 / 3 for path in [*SOUND, *(f"knob/{number}" for number in range(3, 65))]}
    preset = replace(LEAD, positions=every, snapshots=dict.fromkeys(range(MAX_SNAPSHOTS), every))
    assert read(to_text(preset)) == preset
    with pytest.raises(PresetError, match="larger than 65536 bytes"):
        to_text(replace(preset, chain=chain_of("\x01" * 20_000)))
