"""The builder process: its main loop over a real socket."""

import socket
import threading
from pathlib import Path

import pytest

from nemod.builder.messages import BuildFailure, BuildRequest
from nemod.builder.process import main
from nemod.chain import DEFAULT_CHAIN
from nemod.engine.ipc import receive_frame, send_frame


def test_requests_are_answered_until_the_other_end_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One answer each, in order; then the process ends without an error."""
    titles: list[str] = []
    monkeypatch.setattr("setproctitle.setproctitle", titles.append)
    ours, theirs = socket.socketpair()
    exits: list[int] = []
    builder = threading.Thread(target=lambda: exits.append(main(["", str(theirs.detach())])))
    builder.start()
    path = str(tmp_path / "absent.json")
    with ours:
        ours.settimeout(20.0)
        for number in (4, 5):
            request = BuildRequest(
                request_id=number,
                chain=DEFAULT_CHAIN,
                files={"model": path},
                rate_hz=48_000,
                block_frames=64,
                positions={},
            )
            send_frame(ours, request)
        answers = [receive_frame(ours) for _ in range(2)]
    builder.join(20.0)
    assert [type(answer) for answer in answers] == [BuildFailure, BuildFailure]
    assert [(answer.request_id, answer.slot) for answer in answers] == [(4, "model"), (5, "model")]
    assert (exits, titles) == ([0], ["nemod builder"])
