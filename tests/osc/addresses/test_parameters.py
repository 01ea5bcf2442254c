"""Every row of the table over a real loopback socket, with python-osc as the client."""

import math
import struct

import pytest

from nemod.parameters.parameter import Parameter, ParameterKind
from nemod.parameters.table import TABLE
from tests.osc.conftest import Client, MemoryRig

FLOATS = [row for row in TABLE if row.kind is ParameterKind.FLOAT and not row.in_unit]
IN_UNIT = [row for row in TABLE if row.in_unit]
ENUMS = [row for row in TABLE if row.kind is ParameterKind.ENUM]
SWITCHES = [row for row in TABLE if row.kind is ParameterKind.BOOL]


def float32(value: float) -> float:
    rounded: float = struct.unpack(">f", struct.pack(">f", value))[0]
    return rounded


def _id(row: Parameter) -> str:
    return row.path


@pytest.mark.parametrize("row", FLOATS, ids=_id)
def test_every_float_is_set_and_asked(row: Parameter, client: Client, rig: MemoryRig) -> None:
    """A position comes back as it was sent, stands in the settings, and was committed."""
    address = f"/nemo/{row.path}"
    client.send(address, ("f", 0.3))
    client.until_synced()
    expected = float32(0.3)
    assert expected == client.value(address)
    assert expected == rig.commits[-1][row.path]


@pytest.mark.parametrize("row", FLOATS, ids=_id)
def test_every_float_has_its_unit_and_label(row: Parameter, client: Client) -> None:
    """The same knob is reached in its own unit, and shows its label."""
    high = row.high
    middle = -30.0 if row.low == -math.inf else (row.low + high) / 2
    for real in (middle, high):
        client.send(f"/nemo/real/{row.path}", ("f", real))
        client.until_synced()
        answered = client.value(f"/nemo/real/{row.path}")
        assert answered == pytest.approx(real, rel=1e-6, abs=1e-6)
        position = client.value(f"/nemo/{row.path}")
        assert position == pytest.approx(row.position(real), abs=1e-6)
    assert row.text(1.0) == client.value(f"/nemo/text/{row.path}")


@pytest.mark.parametrize("row", FLOATS, ids=_id)
def test_every_float_is_clipped_and_echoed(row: Parameter, client: Client) -> None:
    """A value beyond the range becomes the nearest one, and the sender is sent that one."""
    address, real = f"/nemo/{row.path}", f"/nemo/real/{row.path}"
    client.send(address, ("i", 7))
    client.wait_for(address, 1.0)
    client.send(address, ("d", -0.25))
    client.wait_for(address, 0.0)
    client.send("/nemo/subscribe", ("s", "real"))
    client.send(real, ("f", row.high + 1.0))
    client.wait_for(real, float32(row.high))
    assert client.value(address) == pytest.approx(1.0)


@pytest.mark.parametrize("row", IN_UNIT, ids=_id)
def test_every_value_in_its_unit_is_set_and_queried(
    row: Parameter, client: Client, rig: MemoryRig
) -> None:
    """Its address takes and shows what `/nemo/real/` does, within the range."""
    address, middle = f"/nemo/{row.path}", (row.low + row.high) / 2.0
    client.send(address, ("f", middle))
    assert client.value(address) == client.value(f"/nemo/real/{row.path}") == middle
    assert rig.settings.get(row.path) == pytest.approx(0.5)
    assert client.value(f"/nemo/text/{row.path}") == row.text(0.5)
    for given, clipped in ((row.high + 1.0, row.high), (row.low - 1.0, row.low)):
        client.send(address, ("f", given))
        client.wait_for(address, clipped)
    ((found, values),) = [
        message for message in client.ask(address, ("f", math.inf)) if message[0] == "/nemo/error"
    ]
    assert (found, *values[:2]) == ("/nemo/error", "value", address)


@pytest.mark.parametrize("row", ENUMS, ids=_id)
def test_every_choice_is_set_and_queried(row: Parameter, client: Client, rig: MemoryRig) -> None:
    """By name in any case or by number; queried, it is a number, and its label is the name."""
    address = f"/nemo/{row.path}"
    for index, name in enumerate(row.choices):
        for argument in (("s", name.upper()), ("i", index), ("f", index + 0.25)):
            client.send(address, ("i", len(row.choices) - 1 - index))
            client.send(address, argument)
            assert client.value(address) == index
            assert client.value(f"/nemo/text/{row.path}") == name
            assert rig.settings.get(row.path) == pytest.approx(index / (len(row.choices) - 1))
    for given, clipped in ((len(row.choices), len(row.choices) - 1), (-1, 0)):
        client.send(address, ("i", given))
        client.wait_for(address, clipped)


@pytest.mark.parametrize("row", ENUMS, ids=_id)
def test_no_choice_is_reached_by_patterns(row: Parameter, client: Client, rig: MemoryRig) -> None:
    """A number that suits the knobs beside it would be another note, or none."""
    client.send(f"/nemo/{row.path[:-1]}?", ("i", 1))
    assert client.value(f"/nemo/{row.path}") == row.index(row.default)


@pytest.mark.parametrize("row", FLOATS, ids=_id)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf], ids=str)
def test_every_float_refuses_what_is_no_number(bad: float, row: Parameter, client: Client) -> None:
    """NaN and infinity are answered by an error, and the old value stays."""
    for prefix in ("/nemo/", "/nemo/real/"):
        ((address, values),) = client.ask(prefix + row.path, ("f", bad))
        expected = ("/nemo/error", "value", prefix + row.path)
        assert expected == (address, *values[:2])
    assert float32(row.default) == client.value(f"/nemo/{row.path}")


@pytest.mark.parametrize("row", SWITCHES, ids=_id)
def test_every_switch_is_set_and_asked(row: Parameter, client: Client, rig: MemoryRig) -> None:
    """Switches take T, F and numbers, and answer T or F."""
    address = f"/nemo/{row.path}"
    for (tag, value), expected in (
        (("T", True), True),
        (("F", False), False),
        (("f", 0.5), True),
        (("f", 0.49), False),
        (("i", 1), True),
        (("d", -3.0), False),
    ):
        client.send(address, (tag, value))
        assert expected is client.value(address)
        assert float(expected) == rig.settings.get(row.path)
    assert client.value(f"/nemo/text/{row.path}") == "off"


@pytest.mark.parametrize("path", ["bypass", "mute"])
def test_toggles_flip_on_press_only(path: str, client: Client) -> None:
    """A button sends 1 then 0; one press is one flip."""
    for expected in (True, False):
        client.send(f"/nemo/toggle/{path}", ("f", 1.0))
        client.send(f"/nemo/toggle/{path}", ("f", 0.0))
        client.until_synced()
        assert expected is client.value(f"/nemo/{path}")
    client.ask(f"/nemo/toggle/{path}")
    assert client.value(f"/nemo/{path}") is True


@pytest.mark.parametrize("path", ["delay", "reverb"])
def test_short_forms_set_the_mix_and_answer_as_containers(path: str, client: Client) -> None:
    """One number to `/nemo/delay` is its mix; no argument asks for everything in it."""
    client.send(f"/nemo/{path}", ("f", 0.25))
    assert client.value(f"/nemo/{path}/mix") == 0.25
    leaves = [f"/nemo/{row.path}" for row in TABLE if row.path.startswith(f"{path}/")]
    assert leaves == [address for address, _ in client.ask(f"/nemo/{path}")]
