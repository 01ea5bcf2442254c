"""`nemod check`: what files hold, or their errors."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from nemod.formats.model import Probe
from nemod.formats.save import save_model
from tests.cli.conftest import Nemod
from tests.engine.conftest import alone64, tiny


def test_a_good_model_is_described(nemod: Nemod, two_knobs: Path) -> None:
    """What will be played, and what its knobs are."""
    outcome = nemod("check", two_knobs)
    assert (outcome.status, outcome.err) == (0, "")
    for line in (
        f"{two_knobs}:\n",
        "  architecture: GRU 4, dense 1, skip\n",
        "  knobs: ['gain', 'tone']\n",
        "  sample rate: 48000\n",
        "  probe: none in the file\n",
    ):
        assert line in outcome.out


def test_a_broken_model_is_refused_and_the_next_one_still_checked(
    nemod: Nemod, amp: Path, tmp_path: Path
) -> None:
    """The status tells that not all was well."""
    broken = tmp_path / "broken.json"
    broken.write_text('{"model_data": {}, "state_dict": {}}')
    outcome = nemod("check", broken, tmp_path / "none.json", amp)
    assert outcome.status == 1
    first, second = outcome.err.splitlines()
    assert first.startswith(f"refused: {broken}: model_data")
    assert second == f"refused: {tmp_path / 'none.json'}: no such file"
    assert "architecture: LSTM 4" in outcome.out


def test_a_probe_is_played(nemod: Nemod, tmp_path: Path) -> None:
    """A true one passes, a false one is a refusal."""
    model = tiny()
    sound = np.linspace(-0.5, 0.5, 100, dtype=np.float32)
    output = alone64(model, sound).astype(np.float32)
    for name, shift in (("true", 0.0), ("false", 0.1)):
        probe = Probe(sound[:, None], output + np.float32(shift))
        save_model(replace(model, probe=probe), tmp_path / f"{name}.json")
    outcome = nemod("check", tmp_path / "true.json")
    assert outcome.status == 0
    assert "  probe: passed, largest error " in outcome.out
    outcome = nemod("check", tmp_path / "false.json")
    assert outcome.status == 1
    assert "the probe inside the file does not come out" in outcome.err


def test_a_configuration_is_checked_by_its_suffix(nemod: Nemod, tmp_path: Path) -> None:
    """All of its problems."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.YML"
    good.write_text("audio: {block: 128}\n")
    bad.write_text("audio: {blok: 128, rate: 1}\n")
    outcome = nemod("check", good)
    assert (outcome.status, outcome.out) == (0, f"{good}: no errors in this configuration\n")
    outcome = nemod("check", bad)
    assert outcome.status == 1
    assert f"{bad}: audio.blok: unknown key, did you mean 'block'?" in outcome.err
    assert f"{bad}: audio.rate: 1: a whole number from 44100" in outcome.err


def test_brackets_in_a_name_are_no_markup(nemod: Nemod, tmp_path: Path) -> None:
    """A file may be called anything."""
    path = tmp_path / "amp [red] [b].json"
    save_model(tiny(), path)
    outcome = nemod("check", path)
    assert outcome.status == 0
    assert f"{path}:" in outcome.out.replace("\n", "")


def test_targets_of_bindings_are_checked(nemod: Nemod, tmp_path: Path) -> None:
    """Against the table; knobs by number or name are those of some model."""
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(
        "bindings:\n- {cc: 1, target: gain}\n- {cc: 2, target: knob/presence}\n"
        "- {pin: 3, target: toggle/tuner, long: shutdown}\n- {cc: 4, target: preset/next}\n"
    )
    bad.write_text("bindings:\n- {cc: 1, target: gian}\n- {cc: 2, target: mute, long: tempo/tpa}\n")
    assert nemod("check", good).status == 0
    outcome = nemod("check", bad)
    assert outcome.status == 1
    assert "cc 1: 'gian': no such parameter or action, did you mean 'gain'?" in outcome.err
    assert "cc 2: 'tempo/tpa'" in outcome.err
