"""`nemod render --chain` and `nemod check` of a chain."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from nemod import load_chain, render
from tests.cli.conftest import Nemod


@pytest.fixture
def chain(tmp_path: Path, amp: Path, two_knobs: Path) -> Path:
    path = tmp_path / "chain.yaml"
    path.write_text(
        f"- pedal: {{kind: model, file: {amp}}}\n- model2: {{file: {two_knobs}}}\n- delay\n"
    )
    return path


def test_a_chain_is_rendered(nemod: Nemod, chain: Path, riff: Path, tmp_path: Path) -> None:
    """With settings by the names of its slots and of its models' knobs."""
    target = tmp_path / "out.wav"
    given = ("pedal/gain=0.6", "/nemo/model2/knob/tone=0.2", "/nemo/real/delay/time=5", "delay=0.4")
    options = [part for each in given for part in ("--set", each)]
    outcome = nemod("render", riff, target, "--chain", chain, *options)
    assert outcome == (0, "", "")
    samples = soundfile.read(riff, dtype="float32")[0]
    expected = render(
        load_chain(chain),
        samples,
        48_000,
        settings={
            "gain": 0.6,
            "model2/level": 0.2,
            "delay/time": np.log(5.0) / np.log(2000.0),
            "delay/mix": 0.4,
        },
    )
    np.testing.assert_allclose(soundfile.read(target, dtype="float32")[0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--cab", "x"), "--cab and --chain: one is expected"),
        (("--model-only",), "--model-only and --chain: one is expected"),
        (("--model", "x"), "not allowed with argument"),
        (("--set", "model3/gain=1"), "no setting is named 'model3/gain', did you mean"),
        (("--set", "model2/knob/x=1"), "knob 'x': this model's knobs are gain, tone"),
    ],
)
def test_what_does_not_go_with_a_chain_is_refused(
    nemod: Nemod, chain: Path, riff: Path, tmp_path: Path, options: tuple[str, ...], text: str
) -> None:
    """Nothing is written."""
    target = tmp_path / "out.wav"
    outcome = nemod("render", riff, target, "--chain", chain, *options)
    assert outcome.status == 2
    assert text in outcome.err
    assert not target.exists()


def test_the_output_may_be_no_file_of_the_chain(nemod: Nemod, riff: Path, tmp_path: Path) -> None:
    """A cabinet would be lost."""
    cabinet, path = tmp_path / "box.wav", tmp_path / "chain.yaml"
    soundfile.write(cabinet, np.linspace(1.0, 0.0, 400) ** 4, 48_000, subtype="FLOAT")
    path.write_text("- cab: {file: box.wav}\n")
    before = cabinet.read_bytes()
    outcome = nemod("render", riff, cabinet, "--chain", path)
    assert outcome.status != 0
    assert "the file of slot cab" in outcome.err
    assert cabinet.read_bytes() == before


def test_a_chain_is_checked_with_the_load_of_each_slot(nemod: Nemod, chain: Path) -> None:
    """Measured, in microseconds and as a share of the period."""
    outcome = nemod("check", chain, "--output", "1,2")
    assert (outcome.status, outcome.err) == (0, "")
    lines = outcome.out.splitlines()
    assert lines[1] == "  chain: pedal, model2, delay"
    assert "% of the time of 64 frames at 48000 Hz, in 4 programs, to 2 outputs" in lines[2]
    assert [line.split()[0] for line in lines[3:]] == ["pedal", "model2", "delay", "without", "all"]
    assert " us " in lines[3]
    assert lines[3].endswith("model tiny-amp.json")


def test_a_chain_with_an_error_names_the_slot(nemod: Nemod, tmp_path: Path) -> None:
    """One line for each problem."""
    path = tmp_path / "chain.yaml"
    path.write_text("- modle\n- cab: {file: none}\n- cab\n")
    outcome = nemod("check", path)
    assert outcome.status == 1
    assert f"{path}: slot 'modle': its kind is missing" in outcome.err
    assert "slot 'cab' occurs twice" in outcome.err
