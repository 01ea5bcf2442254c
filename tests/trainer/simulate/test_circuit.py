"""Netlists and what they say of themselves."""

from pathlib import Path

import pytest

from nemod.common.errors import ConfigError
from trainer.simulate.circuit import CircuitError, find, parse, shipped

DIVIDER = "*nemod title half\n*nemod knob level 0.25\nr1 in out {1k*level+1}\nr2 out 0 1k\n"


def test_circuits_that_ship_have_their_knobs() -> None:
    """A fuzz and an overdrive, each with three knobs in the middle."""
    assert {circuit.name: dict(circuit.knobs) for circuit in shipped()} == {
        "muff": {"sustain": 0.5, "tone": 0.5, "volume": 0.5},
        "screamer": {"drive": 0.5, "tone": 0.5, "level": 0.5},
    }


def test_a_netlist_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    """Title, knobs and defaults come from its comments."""
    (tmp_path / "mine.cir").write_text(DIVIDER)
    circuit = find(str(tmp_path / "mine.cir"))
    assert (circuit.name, circuit.title, dict(circuit.knobs)) == ("mine", "half", {"level": 0.25})


def test_a_setting_has_every_knob() -> None:
    """What is not given stands at its default."""
    circuit = parse("mine", DIVIDER + "*nemod knob tone 0.5\n")
    assert circuit.setting({"tone": 1.0}) == {"level": 0.25, "tone": 1.0}


def test_an_unknown_knob_is_refused_with_the_nearest() -> None:
    """The message names the circuit's knobs."""
    with pytest.raises(ConfigError, match=r"did you mean 'level'.*its knobs are level"):
        parse("mine", DIVIDER).setting({"levl": 1.0})


def test_an_unknown_circuit_is_refused_with_the_nearest() -> None:
    """The message lists what there is."""
    with pytest.raises(ConfigError, match=r"did you mean 'muff'.*muff, screamer"):
        find("mufff")


@pytest.mark.parametrize(
    ("netlist", "expected"),
    [
        (DIVIDER + ".control\nshell true\n.endc\n", "line 5: .control is stated by the run"),
        (DIVIDER + ".END\n", "line 5: .end is stated"),
        ("r1 in 0 1k\n", "nothing is connected to node 'out'"),
        (DIVIDER + "*nemod knob Tone 0.5\n", "line 5: knob 'Tone': a name is"),
        (DIVIDER + "*nemod knob tone 5\n", "line 5: knob 'tone' stands at '5': 0..1"),
    ],
)
def test_a_broken_convention_is_refused_with_its_line(netlist: str, expected: str) -> None:
    """A netlist brings no analysis, both nodes, and knobs from 0 to 1."""
    with pytest.raises(CircuitError, match=expected):
        parse("mine", netlist)


def test_a_netlist_that_is_no_text_is_refused(tmp_path: Path) -> None:
    """Binary data is no netlist."""
    (tmp_path / "mine.cir").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CircuitError, match="is no text"):
        find(str(tmp_path / "mine.cir"))
