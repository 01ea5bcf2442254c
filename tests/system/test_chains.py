"""A chain of a whole daemon: set over OSC, saved, and there again after a restart."""

import json
from pathlib import Path
from typing import Any

from nemod.chain import plain_chain, read_chain
from nemod.presets import PresetStore

CHAIN = [
    "gate",
    {"pedal": {"kind": "model", "file": "screamer-gru24"}},
    {"amp": {"kind": "model", "file": "clipper-lstm16"}},
    {"cab": {"file": "sim-open-1x12"}},
    "delay",
]


def test_a_chain_is_set_saved_and_there_again(start: Any, tmp_path: Path) -> None:
    """With two models, an edit, and settings of slots; until it plays the old chain does."""
    kept = ["--device", "null", "--state", "state.json", "--presets", "presets"]
    daemon = start(*kept)
    client = daemon.client()
    client.send("/nemo/chain/set", json.dumps(CHAIN))
    done = client.wait("/nemo/done", "/nemo/error", seconds=90.0)
    assert done.params == ["/nemo/chain/set", "gate pedal amp cab delay"]
    assert client.query("/nemo/model/current") == "screamer-gru24"
    assert client.query("/nemo/amp/current") == "clipper-lstm16"
    assert client.query("/nemo/cab/enable") is True
    client.send("/nemo/amp/gain", 0.25)
    client.send("/nemo/chain/add", "echo", "delay", json.dumps({"kind": "delay"}))
    done = client.wait("/nemo/done", "/nemo/error", seconds=90.0)
    assert done.params == ["/nemo/chain/add", "echo"]
    client.send("/nemo/echo/mix", 0.75)
    client.send("/nemo/preset/save", "Board")
    assert client.wait("/nemo/done", "/nemo/error").params == ["/nemo/preset/save", "Board"]
    assert client.query("/nemo/status/state") == "running"
    assert daemon.stop() == 0
    preset = PresetStore(tmp_path / "presets").get(6)
    assert plain_chain(preset.chain, with_hashes=False) == [*CHAIN, {"echo": {"kind": "delay"}}]
    assert (preset.positions["amp/gain"], preset.positions["echo/mix"]) == (0.25, 0.75)

    daemon = start(*kept)
    client = daemon.client()
    slots = read_chain(json.loads(client.query("/nemo/chain/slots")))
    assert plain_chain(slots) == [*CHAIN, {"echo": {"kind": "delay"}}]
    assert (client.query("/nemo/amp/gain"), client.query("/nemo/echo/mix")) == (0.25, 0.75)
    assert (client.query("/nemo/preset/current"), client.query("/nemo/preset/dirty")) == (
        "Board",
        False,
    )
    assert daemon.stop() == 0
