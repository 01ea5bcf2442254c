"""Simulations with ngspice, compared with circuit theory in float64."""

import re
from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import chirp

from trainer.simulate import spice
from trainer.simulate.circuit import Circuit, CircuitError, find, parse

RATE = 48_000
THERMAL_V = 1.380649e-23 * (273.15 + 27.0) / 1.602176634e-19
"""[V] kT/q at the 27 degrees Celsius of SPICE."""

needs_ngspice = pytest.mark.ngspice


def part(netlist: str, *names: str) -> list[str]:
    """Return the netlist lines of the named parts."""
    return [line for line in netlist.splitlines() if line.split()[:1] in [[n] for n in names]]


def value(text: str) -> float:
    """Return the value of a SPICE number."""
    found = re.fullmatch(r"([\d.]+)(meg|[kunp]?)", text)
    assert found is not None
    return (
        float(found[1])
        * {"": 1.0, "k": 1e3, "meg": 1e6, "u": 1e-6, "n": 1e-9, "p": 1e-12}[found[2]]
    )


def tone_stack(tone: float) -> Circuit:
    """Return the tone control of the muff as a circuit of its own, with a load of 100 kOhm."""
    lines = part(find("muff").netlist, "r17", "c10", "c11", "r18", "rta", "rtb")
    assert len(lines) == 6
    text = "\n".join(lines).replace(" c3 ", " in ").replace(" tw ", " out ")
    return parse("tone", f"*nemod knob tone {tone}\n{text}\nrload out 0 100k\nrin in 0 1k\n")


def tone_stack_response(tone: float, hertz: NDArray[np.float64]) -> NDArray[np.complex128]:
    """Return its transfer function by nodal analysis of low-pass, high-pass and wiper."""
    values = {
        line.split()[0]: value(line.split()[3])
        for line in part(find("muff").netlist, "r17", "c10", "c11", "r18")
    }
    pot_low, pot_high = 99_998.0 * tone + 1.0, 99_998.0 * (1.0 - tone) + 1.0
    response = np.empty(hertz.size, np.complex128)
    for index, omega in enumerate(2.0 * np.pi * hertz):
        series, shunt = 1.0 / values["r17"], 1j * omega * values["c10"]
        series_c, shunt_r = 1j * omega * values["c11"], 1.0 / values["r18"]
        a, b, load = 1.0 / pot_low, 1.0 / pot_high, 1.0 / 100e3
        matrix = np.array(
            [
                [series + shunt + a, 0.0, -a],
                [0.0, series_c + shunt_r + b, -b],
                [-a, -b, a + b + load],
            ]
        )
        response[index] = np.linalg.solve(matrix, np.array([series, series_c, 0.0]))[2]
    return response


@needs_ngspice
@pytest.mark.parametrize("tone", [0.0, 0.5, 1.0])
def test_the_tone_control_agrees_with_nodal_analysis(tone: float) -> None:
    """Within 0.1 dB and 1 degree from 60 Hz to 10 kHz, measured with a sweep."""
    sweep = np.zeros(4096)
    sweep[100:3100] = chirp(np.arange(3000) / RATE, 20.0, 3000 / RATE, 20_000.0, "logarithmic")
    output = spice.simulate(tone_stack(tone), {"tone": tone}, sweep, RATE)
    hertz = np.fft.rfftfreq(4096, 1.0 / RATE)
    band = (hertz >= 60.0) & (hertz <= 10_000.0)
    expected = tone_stack_response(tone, hertz[band])
    ratio = (np.fft.rfft(output) / np.fft.rfft(sweep))[band] / expected
    assert np.abs(20.0 * np.log10(np.abs(ratio))).max() < 0.1
    assert np.abs(np.angle(ratio, deg=True)).max() < 1.0


@needs_ngspice
def test_the_overdrive_clips_at_the_forward_voltage_of_its_diodes() -> None:
    """The feedback voltage is limited to Shockley's law at the current of the gain resistor."""
    circuit = find("screamer")
    load = "".join(f"{line}\n" for line in part(circuit.netlist, "c9", "r15", "rload"))
    assert load.count(" out ") == 3
    probe = circuit.netlist.replace(load, load.replace(" out ", " before "))
    probe += "eprobe out 0 o1 p1 1\n"
    assert probe.count(" out ") == circuit.netlist.count(" out ") - 2
    amplitude, hertz = 0.35, 1000.0
    sine = amplitude * np.sin(2.0 * np.pi * hertz * np.arange(2400) / RATE)
    setting = {"drive": 1.0, "tone": 0.5, "level": 0.5}
    across = spice.simulate(parse("probe", probe), setting, sine, RATE)[960:]
    branch = abs(4_700.0 + 1.0 / (2j * np.pi * hertz * 47e-9))
    resistance = 51e3 + 500e3
    drop = 0.4
    for _ in range(50):  # the current that remains for the diode
        current = amplitude / branch - drop / resistance
        drop = 1.752 * THERMAL_V * np.log1p(current / 2.52e-9)
    assert float(np.abs(across).max()) == pytest.approx(drop, rel=0.01)


@needs_ngspice
def test_the_operating_point_of_the_fuzz_follows_its_resistors() -> None:
    """Base, emitter and collector of the recovery stage agree with diode and Ohm's law."""
    netlist, setting = find("muff").netlist, find("muff").setting({})
    at_rest = np.zeros(48)
    points = {}
    for node in ("b4", "e4", "c4"):
        probe = parse("probe", re.sub(r"\bout\b", "before", netlist) + f"eprobe out 0 {node} 0 1\n")
        points[node] = float(spice.simulate(probe, setting, at_rest, RATE)[-1])
    emitter = value(part(netlist, "r22")[0].split()[3])
    collector = value(part(netlist, "r21")[0].split()[3])
    current = points["e4"] / emitter
    assert points["b4"] - points["e4"] == pytest.approx(
        THERMAL_V * np.log(current / 5.9e-15), abs=0.01
    )
    assert points["c4"] == pytest.approx(9.0 - collector * current, abs=0.02)


@needs_ngspice
def test_the_volume_scales_the_output() -> None:
    """Volume 0 is at least 80 dB below volume 1, which is twice volume 0.5."""
    circuit = find("muff")
    sine = 0.2 * np.sin(2.0 * np.pi * 440.0 * np.arange(1200) / RATE)
    levels = [
        float(np.abs(spice.simulate(circuit, circuit.setting({"volume": v}), sine, RATE)).max())
        for v in (0.0, 0.5, 1.0)
    ]
    assert levels[0] < 1e-4 * levels[2]
    assert levels[2] / levels[1] == pytest.approx(2.0, rel=0.1)


@needs_ngspice
def test_harmonics_above_the_nyquist_frequency_do_not_alias() -> None:
    """Squaring 15 kHz gives 30 kHz, whose alias at 48 kHz would be 18 kHz."""
    square = parse("square", "rin in 0 1k\nb1 out 0 v = v(in)*v(in)\nrl out 0 1k\n")
    sine = np.sin(2.0 * np.pi * 15_000.0 * np.arange(4800) / RATE) * np.hanning(4800)
    spectrum = np.abs(np.fft.rfft(spice.simulate(square, {}, sine, RATE)))
    alias = spectrum[round(18_000 * 4800 / RATE)]
    # The other term of the square, at 0 Hz, has the same magnitude.
    assert 20.0 * np.log10(alias / spectrum[0]) < -60.0


@needs_ngspice
def test_a_failure_to_converge_is_reported_with_its_time() -> None:
    """The logarithm of 0.2 V minus the input is undefined from 20 ms on."""
    bad = parse("bad", "r1 in 0 1k\nb1 out 0 v = ln(0.2-v(in))\nr2 out 0 1k\n")
    with pytest.raises(spice.ConvergenceError, match="does not converge") as raised:
        spice.simulate(bad, {}, np.linspace(0.0, 0.5, 2400), RATE)
    assert raised.value.at_s == pytest.approx(0.02, abs=1e-4)


@needs_ngspice
def test_a_netlist_that_ngspice_rejects_is_reported_with_its_message() -> None:
    """The message contains the line of the netlist."""
    bad = parse("bad", "r1 in 0 1k\nr2 out 0 1k\nxu in out nosuch\n")
    with pytest.raises(CircuitError, match=r"bad: ngspice rejects the netlist: .*nosuch"):
        spice.simulate(bad, {}, np.zeros(48), RATE)


@pytest.fixture
def uncached_version() -> Iterator[None]:
    """Look ngspice up again, in this test and after it."""
    spice.version.cache_clear()
    yield
    spice.version.cache_clear()


@pytest.mark.usefixtures("uncached_version")
def test_an_error_without_ngspice_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message states what to install."""
    monkeypatch.setenv("PATH", "")
    with pytest.raises(CircuitError, match=r"ngspice is not installed.*apt install ngspice"):
        spice.version()
