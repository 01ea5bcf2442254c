"""Controllers of a whole daemon: MIDI bytes in a named pipe, sound, learning, a restart."""

import os
from pathlib import Path
from typing import Any

from tests.system.test_supervision import until


def test_a_controller_plays_is_learned_and_is_bound_after_a_restart(
    start: Any, tmp_path: Path
) -> None:
    """Defaults work, a learned control is heard at once, and survives the restart."""
    pipe = tmp_path / "pedal"
    os.mkfifo(pipe)
    options = ("--device", "demo", "--raw-midi", str(pipe))
    options += ("--bindings", str(tmp_path / "folder" / "bindings.yaml"))

    def send(data: str) -> None:
        pipe.write_bytes(bytes.fromhex(data))

    daemon = start(*options)
    client = daemon.client()
    until(lambda: client.query("/nemo/midi/ports") == 1, "the pipe")
    until(lambda: client.query("/nemo/real/meter/out") > -40.0, "sound")
    send("b0 3e 7f 3e 00")
    until(lambda: client.query("/nemo/bypass") is True, "the bypass")
    send("b0 07 20")
    until(lambda: abs(client.query("/nemo/level") - 32 / 127) < 1e-6, "the level")
    client.send("/nemo/midi/learn", "mute")
    until(lambda: client.query("/nemo/midi/learning") == "mute", "learning")
    send("90 24 64 90 24 00")
    done = client.wait("/nemo/done", "/nemo/error")
    assert done.params == ["/nemo/midi/learn", "note 36 of pedal"]
    send("90 24 64 90 24 00")
    until(lambda: client.query("/nemo/real/meter/out") < -60.0, "silence")
    assert daemon.stop() == 0, daemon.text

    daemon = start(*options)
    client = daemon.client()
    until(lambda: client.query("/nemo/midi/ports") == 1, "the pipe")
    client.send("/nemo/mute", False)
    assert client.query("/nemo/mute") is False
    send("90 24 64 90 24 00")
    until(lambda: client.query("/nemo/mute") is True, "the learned control")
    assert daemon.stop() == 0, daemon.text
