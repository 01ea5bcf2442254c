"""The layout for TouchOSC: every address in it is real, and every parameter is in it."""

import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import py2tosc
import pytest
from py2tosc import ControlType, OscMessage, PartialType

from nemod.chain import plain_chain
from nemod.cli.layout import main
from nemod.common.errors import ConfigError, NemodError
from nemod.osc.addresses.tree import build_tree
from nemod.osc.addresses.values import LeafKind
from nemod.osc.layout.pages import FACE, Item, face, slots, split
from nemod.osc.layout.touchosc import PRESETS, SIZES, Size, document
from nemod.parameters.parameter import ParameterKind
from nemod.parameters.parameter_set import KnobSpec, ParameterSet
from tests.chains import BOARD
from tests.osc.conftest import Client, Served

PARAMETERS = ParameterSet()
CHAINS = {
    "default": PARAMETERS,
    "board": ParameterSet(BOARD, {"pedal": [KnobSpec(name) for name in ("Gain", "Level", "Tone")]}),
}
"""Parameters of the default chain, and of one with two models, a split and two delays."""


def bindings(made: py2tosc.Document) -> Iterator[tuple[py2tosc.Control, OscMessage, str]]:
    """Yield each control with a binding and its address."""
    for control in made.walk():
        for message in control.messages:
            assert isinstance(message, OscMessage)
            assert {part.type for part in message.path} == {PartialType.CONSTANT}
            yield control, message, "".join(part.value for part in message.path)


@pytest.mark.parametrize("known", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_touchosc_would_take_it(size: Size, known: ParameterSet) -> None:
    """py2tosc's rules, which are those of files that TouchOSC wrote."""
    assert [str(issue) for issue in document(size, known).validate()] == []


@pytest.mark.parametrize("known", CHAINS.values(), ids=CHAINS)
@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
def test_every_parameter_is_there_once_at_least(size: Size, known: ParameterSet) -> None:
    """With the label that shows its value; files of slots can be stepped through."""
    addresses = {address for _, _, address in bindings(document(size, known))}
    shown = {"bypass", "mute", "tuner/enable"}
    for path in known:
        assert f"/nemo/{path}" in addresses
        assert f"/nemo/text/{path}" in addresses or path in shown
    files = ["model", "cab", *(["model2"] if "model2" in known.chain else [])]
    for name in files:
        assert {f"/nemo/{name}/{leaf}" for leaf in ("prev", "current", "next")} <= addresses


@pytest.mark.parametrize("known", CHAINS.values(), ids=CHAINS)
def test_every_address_is_real(served: Served, client: Client, known: ParameterSet) -> None:
    """A running server takes what each control sends, and answers what each one shows.

    A control that sends nothing of its own is only asked for.
    """
    served.call(lambda: served.rig.use_chain(*plain_chain(known.chain)))
    if known.knobs.get("pedal"):
        served.call(lambda: served.rig.use_knobs("Gain", "Level", "Tone", slot="pedal"))
    tree = build_tree(known)
    for command in ("/nemo/snapshot/save", "/nemo/preset/save"):
        for number in range(PRESETS):
            client.ask(command, ("i", number))
    for size in SIZES.values():
        for control, message, address in bindings(document(size, known)):
            leaf = tree.leaves[address]
            if message.receive:
                assert leaf.read is not None
                assert [found for found, _ in client.ask(address) if found == address]
            if message.send and control.get("interactive"):
                arguments = [
                    (tag, value) for tag, value in (_argument(part) for part in message.arguments)
                ]
                answers = client.ask(address, *arguments)
                assert [values for found, values in answers if found == "/nemo/error"] == []


def _argument(part: py2tosc.Partial) -> tuple[str, object]:
    """Return what TouchOSC would send: the control at its end, or the constant."""
    if part.type == PartialType.CONSTANT:
        return "i", int(part.value)
    match part.conversion:
        case "BOOLEAN":
            return "T", True
        case "INTEGER":
            return "i", int(part.scale_max)
        case _:
            return "f", float(part.scale_max)


def test_numbers_have_the_range_of_their_leaf() -> None:
    """0..1, or the unit's; a switch is sent as a boolean, a label is text."""
    tree = build_tree()
    for size in SIZES.values():
        for control, message, address in bindings(document(size)):
            leaf = tree.leaves[address]
            for part in message.arguments:
                if control.control_type is ControlType.LABEL:
                    assert (part.value, part.conversion) == ("text", "STRING")
                elif leaf.kind is LeafKind.BOOL:
                    assert part.conversion == "BOOLEAN"
                elif leaf.path and leaf.kind is LeafKind.FLOAT:
                    assert (part.scale_min, part.scale_max) == (leaf.low, leaf.high)
                elif leaf.path:
                    row = PARAMETERS.row(leaf.path)
                    assert row.kind is ParameterKind.ENUM
                    assert (part.scale_min, part.scale_max) == (0, len(row.choices) - 1)


def test_it_subscribes_by_itself(client: Client) -> None:
    """When it is opened, and again before the subscription ends."""
    script = document(SIZES["phone"]).root.get("script")
    assert "function init()" in script
    assert "function update()" in script
    (renew,) = {int(text) for text in re.findall(r"> (\d+)", script)}
    assert renew < 60_000 / 2
    flags = re.findall(r"tag = 's', value = '(\w+)'", script)
    answers = client.ask("/nemo/subscribe", *(("s", flag) for flag in flags))
    assert ("/nemo/subscribed", [60]) in answers


def test_it_may_receive_on_a_port_of_its_own() -> None:
    """The first argument of the subscription."""
    script = document(SIZES["phone"], port=9001).root.get("script")
    assert "/nemo/subscribe', { { tag = 'i', value = 9001 }, { tag = 's'," in script


@pytest.mark.parametrize("text", ["0", "65536", "-1", "99999999999", "x"])
def test_a_port_is_a_port(text: str, tmp_path: Path) -> None:
    """As everywhere."""
    with pytest.raises(ConfigError, match="1 to 65535"):
        main(["--receive-port", text, "-o", str(tmp_path / "x")])
    assert not list(tmp_path.iterdir())


def test_knobs_of_a_model_are_there() -> None:
    """Those beyond gain and level."""
    specs = [KnobSpec("Gain"), KnobSpec("Level"), KnobSpec("Presence")]
    known = ParameterSet(knobs={"model": specs})
    addresses = {address for _, _, address in bindings(document(SIZES["phone"], known))}
    assert "/nemo/knob/3" in addresses


def test_pages_keep_the_order_and_lose_nothing() -> None:
    """A slot that does not fit goes on, on the next page."""
    found = slots(CHAINS["board"])
    wanted = [item.path for slot in found for item in slot.items]
    titles = ["Gate", "Pedal", "Split", "Model 2", "Cabinet", "Delay", "Echo", "Reverb"]
    assert [slot.title for slot in found] == ["Rig", *titles]
    assert [slot.title for slot in slots(PARAMETERS)][:3] == ["Rig", "Gate", "Compressor"]
    echo = next(slot for slot in found if slot.title == "Echo")
    assert [item.name for item in echo.items if isinstance(item, Item)][:2] == ["Mix", "Time"]
    for most in (4, 11, 22):
        pages = list(split(found, most))
        assert [item.path for page in pages for slot in page for item in slot.items] == wanted
        assert all(sum(1 + len(slot.items) for slot in page) <= most for page in pages)
    assert [item.path for item in face(PARAMETERS)] == list(FACE)


def test_the_command_writes_a_file_that_touchosc_reads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Compressed XML, by any name; a second one replaces it."""
    file = tmp_path / "my layout.tosc"
    for size in ("phone", "tablet"):
        assert main(["--format", "touchosc", "--size", size, "-o", str(file)]) == 0
        root = ElementTree.fromstring(zlib.decompress(file.read_bytes()))
        assert root.tag == "lexml"
        assert f"a layout for a {size}" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [file]


def test_the_command_takes_the_chain_of_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the knobs of its models; a chain that is none is an error that names the slot."""
    file, chain = tmp_path / "nemod.tosc", tmp_path / "chain.yaml"
    chain.write_text("- model: {file: muffcond-gru40}\n- delay\n- delay2\n")
    library = ["--library", str(Path(__file__).parents[3] / "models")]
    assert main(["--chain", str(chain), "-o", str(file), *library]) == 0
    text = zlib.decompress(file.read_bytes()).decode()
    assert "/nemo/delay2/time" in text
    assert "/nemo/knob/3" in text
    assert "/nemo/gate/hold" not in text
    chain.write_text("- delay\n- wah\n")
    with pytest.raises(NemodError, match="slot 'wah'"):
        main(["--chain", str(chain), "-o", str(file)])
    capsys.readouterr()
