"""Netlists, their titles and their knobs."""

from pathlib import Path

import pytest

from nemod.common.errors import ConfigError
from trainer.simulate.circuit import CircuitError, find, parse, shipped

DIVIDER = "*nemod title half\n*nemod knob level 0.25\nr1 in out {1k*level+1}\nr2 out 0 1k\n"


def test_the_included_circuits_have_their_knobs() -> None:
    """A clipper, a fuzz and an overdrive, with default positions."""
    assert {circuit.name: dict(circuit.knobs) for circuit in shipped()} == {
        "clipper": {"gain": 0.5, "level": 0.8},
        "muff": {"sustain": 0.5, "tone": 0.5, "volume": 0.5},
        "screamer": {"drive": 0.5, "tone": 0.5, "level": 0.5},
    }


def test_a_netlist_file_is_found_by_its_path(tmp_path: Path) -> None:
    """Title, knobs and defaults are read from its comments."""
    (tmp_path / "mine.cir").write_text(DIVIDER)
    circuit = find(str(tmp_path / "mine.cir"))
    assert (circuit.name, circuit.title, dict(circuit.knobs)) == ("mine", "half", {"level": 0.25})


def test_a_setting_has_every_knob() -> None:
    """A knob that is not given has its default position."""
    circuit = parse("mine", DIVIDER + "*nemod knob tone 0.5\n")
    assert circuit.setting({"tone": 1.0}) == {"level": 0.25, "tone": 1.0}


def test_an_unknown_knob_is_rejected_with_a_suggestion() -> None:
    """The message lists the knobs of the circuit."""
    with pytest.raises(ConfigError, match=r"did you mean 'level'.*its knobs: level"):
        parse("mine", DIVIDER).setting({"levl": 1.0})


def test_an_unknown_circuit_is_rejected_with_a_suggestion() -> None:
    """The message lists the included circuits."""
    with pytest.raises(ConfigError, match=r"did you mean 'muff'.*clipper, muff, screamer"):
        find("mufff")


@pytest.mark.parametrize(
    ("netlist", "expected"),
    [
        (
            DIVIDER + ".control\nshell true\n.endc\n",
            "line 5: remove .control, which the",
        ),
        (DIVIDER + ".END\n", "line 5: remove .end, which"),
        ("r1 in 0 1k\n", "nothing is connected to node 'out'"),
        (DIVIDER + "*nemod knob Tone 0.5\n", "line 5: knob name 'Tone': use lower-case"),
        (DIVIDER + "*nemod knob tone 5\n", "line 5: default of knob 'tone' is '5': expected 0..1"),
    ],
)
def test_a_broken_convention_is_rejected_with_its_line(netlist: str, expected: str) -> None:
    """A netlist has no analysis, has both nodes, and its knobs have defaults from 0 to 1."""
    with pytest.raises(CircuitError, match=expected):
        parse("mine", netlist)


def test_a_netlist_that_is_not_text_is_rejected(tmp_path: Path) -> None:
    """Binary data are reported as such."""
    (tmp_path / "mine.cir").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CircuitError, match="is not UTF-8 text"):
        find(str(tmp_path / "mine.cir"))
