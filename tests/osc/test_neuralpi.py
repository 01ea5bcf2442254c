"""NeuralPi's addresses, sent as its plug-in sends them: one float32 by UDP to its own port."""

import socket
from collections.abc import Callable

import pytest
import structlog.testing

from nemod.osc import neuralpi, server
from nemod.osc.server import Compatible
from tests.osc.conftest import Client, MemoryRig, Served, read, write
from tests.osc.tcp.conftest import own_address


@pytest.fixture
def remote(serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch) -> Client:
    """A client of the port for NeuralPi's plug-in."""
    use_port(monkeypatch, 0)
    served = serve(compat=["neuralpi"])
    return served.client(port=served.server.compat_ports["neuralpi"])


def use_port(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Have another port than NeuralPi's, so that tests can run side by side."""
    program = Compatible(port, neuralpi.neuralpi_leaves)
    monkeypatch.setattr(server, "COMPATIBLE", {"neuralpi": program})


@pytest.mark.parametrize(
    ("name", "given", "path", "value"),
    [
        # PluginProcessor.cpp: (bass - 0.5) * 24 dB.
        ("Bass", 0.75, "bass", 6.0),
        ("Mid", 0.0, "mid", -12.0),
        ("Treble", 1.0, "treble", 12.0),
        ("Gain", 0.5, "gain", 0.0),
        ("Delay", 0.25, "delay/mix", 0.25),
        ("Reverb", 0.5, "reverb/mix", 0.5),
        # The output is multiplied by 2 * master: unity in the middle, +6.02 dB at the top.
        ("Master", 0.5, "level", 0.0),
        ("Master", 1.0, "level", 6.0206),
        ("Master", 0.25, "level", -6.0206),
        ("Master", 0.0, "level", float("-inf")),
        ("Master", 7.0, "level", 6.0206),
    ],
)
def test_its_knobs_do_what_they_do_in_neuralpi(
    remote: Client, rig: MemoryRig, name: str, given: float, path: str, value: float
) -> None:
    """The values of its source, in the units of ours; nothing is sent back."""
    assert remote.ask(f"/parameter/NeuralPi/{name}", ("f", given)) == []
    assert rig.controller.value(path) == pytest.approx(value, abs=1e-4)
    ((address, (answer,)),) = remote.ask(f"/parameter/NeuralPi/{name}")
    assert address == f"/parameter/NeuralPi/{name}"
    assert answer == pytest.approx(min(given, 1.0), abs=1e-6)


def test_master_is_the_second_knob_of_a_model_that_has_two(remote: Client, rig: MemoryRig) -> None:
    """As the conditioned models of NeuralPi: the position itself."""
    rig.use_knobs("gain", "master")
    remote.ask("/parameter/NeuralPi/Master", ("f", 0.25))
    assert rig.settings.get("level") == 0.25
    assert remote.ask("/parameter/NeuralPi/Master") == [("/parameter/NeuralPi/Master", [0.25])]


@pytest.mark.parametrize(
    ("position", "model"),
    [
        (1 / 3, "Amp Lead"),
        (2 / 3, "fuzz"),
        (1.0, "Überdrive"),
        (0.5, "fuzz"),  # 1.5 of 3: C++ rounds a half away from zero
        (1 / 6, "Amp Lead"),  # 0.5 of 3
        (9.0, "Überdrive"),
        (-1.0, "Amp Clean"),
    ],
)
def test_models_by_their_share_of_the_list(
    remote: Client, rig: MemoryRig, position: float, model: str
) -> None:
    """PluginProcessor.cpp: round(position * (count - 1)), within the list."""
    remote.ask("/parameter/NeuralPi/Model", ("d", position))
    assert rig.model_name == model
    index = rig.names.index(model)
    ((_, (answer,)),) = remote.ask("/parameter/NeuralPi/Model")
    assert answer == pytest.approx(index / 3)


def test_a_model_that_is_wanted_already_is_not_loaded_again(remote: Client, rig: MemoryRig) -> None:
    """A knob that is dragged past positions of one model starts one load."""
    rig.is_slow = True
    for position in (0.3, 0.33, 0.35):
        remote.send("/parameter/NeuralPi/Model", ("f", position))
    remote.send("/nemo/gain")
    assert read(remote.packet()) == [("/nemo/gain", [0.5])]
    assert rig.controller.requested_model == "Amp Lead"


@pytest.mark.parametrize("name", ["Presence", "Ir", "gain"])
def test_what_nemod_does_not_have_is_an_unknown_address(remote: Client, name: str) -> None:
    """Answered as every unknown address."""
    ((address, values),) = remote.ask(f"/parameter/NeuralPi/{name}", ("f", 0.5))
    assert (address, values[:2]) == ("/nemo/error", ["address", f"/parameter/NeuralPi/{name}"])


def test_bad_values_change_nothing(remote: Client, rig: MemoryRig) -> None:
    """The same checks as everywhere."""
    for argument, code in ((("f", float("nan")), "value"), (("s", "loud"), "type")):
        ((address, values),) = remote.ask("/parameter/NeuralPi/Master", argument)
        assert (address, values[0]) == ("/nemo/error", code)
    assert rig.commits == []


def test_the_plug_in_is_sent_nothing_but_errors(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not read where it sends from: no echoes, and errors of 8 times the bytes at most."""
    use_port(monkeypatch, 0)
    own = own_address()
    served = serve(local=False, allow=[own], compat=["neuralpi"])
    remote = served.client(own, served.server.compat_ports["neuralpi"])
    remote.send("/parameter/NeuralPi/Gain", ("f", 0.25))
    remote.send("/parameter/NeuralPi/Bass", ("f", 7.0))
    question = write("/parameter/NeuralPi/Ir", ("f", 0.5))
    remote.send_bytes(question)
    answer = remote.packet()
    ((address, values),) = read(answer)
    assert (address, values[0]) == ("/nemo/error", "address")
    assert len(answer) <= 8 * len(question)
    other = served.client()
    other.ask("/nemo/mid", ("f", 0.75))
    assert [other.value(f"/nemo/{name}") for name in ("gain", "bass")] == [0.25, 1.0]
    remote.socket.settimeout(0.3)
    with pytest.raises(TimeoutError):
        remote.packet()


def test_without_the_option_there_is_neither_address_nor_port(served: Served) -> None:
    """It is off by default."""
    ((address, values),) = served.client().ask("/parameter/NeuralPi/Gain", ("f", 0.5))
    assert (address, values[0]) == ("/nemo/error", "address")
    assert served.server.compat_ports == {}


def test_its_port_is_the_one_of_the_plug_in() -> None:
    """PluginEditor.h: `outgoingPort{ 24024 }`."""
    assert server.COMPATIBLE["neuralpi"].port == 24024


def test_a_taken_port_is_a_warning(
    serve: Callable[..., Served], monkeypatch: pytest.MonkeyPatch
) -> None:
    """NeuralPi may run on the same machine: nemod starts all the same."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        use_port(monkeypatch, taken.getsockname()[1])
        with structlog.testing.capture_logs() as logs:
            served = serve(compat=["neuralpi"])
    assert [entry["event"] for entry in logs] == ["osc.no_compat_port"]
    assert "is taken" in logs[0]["reason"]
    client = served.client()
    client.ask("/parameter/NeuralPi/Gain", ("f", 0.25))
    assert client.value("/nemo/gain") == 0.25
