"""A process that is killed while it saves leaves the old preset or the new one."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nemod.presets.reader import parse
from nemod.presets.writer import to_text
from tests.conftest import ROOT
from tests.parts.preset_saver import NUMBER, version

KILLS = int(os.environ.get("NEMOD_KILLS", "20"))
LONGEST_S = 0.03
"""[s] Latest kill after a save that was reported; a save takes a small part of this."""


@pytest.mark.slow
def test_a_killed_save_leaves_the_old_or_the_new_version(tmp_path: Path) -> None:
    """SIGKILL at random moments; the version before is whole too, and the next process reads both.

    `NEMOD_KILLS` is how many.
    """
    rng = random.Random("nemod")
    folder = tmp_path / "presets"
    files = folder / f"{NUMBER:03d}.yaml", folder / "previous" / f"{NUMBER:03d}.yaml"
    saved = -1
    under_way = kills = 0
    # Until enough kills have come in the middle of a save: otherwise this shows nothing.
    while kills < KILLS or under_way <= KILLS // 4:
        kills += 1
        assert kills <= 10 * KILLS, f"{under_way} of {kills} kills came in the middle of a save"
        reported = kill_one(folder, rng.uniform(0.0, LONGEST_S))
        assert reported > saved  # it went on from what the last one had left
        texts = [path.read_text(encoding="utf-8") for path in files]
        saved, before = (int(parse(text, "").name) for text in texts)
        assert texts == [to_text(version(saved)), to_text(version(before))]
        assert saved in (reported, reported + 1)
        assert before in (saved - 1, saved)
        assert not list(folder.glob("*.damaged-*"))
        drafts = [path for path in folder.rglob(".*.tmp")]
        under_way += bool(drafts)
        for draft in drafts:
            draft.unlink()


def kill_one(folder: Path, after_s: float) -> int:
    """Start a process that saves, kill it, and return the last version that it reported."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.parts.preset_saver", str(folder)],
        stdout=subprocess.PIPE,
        cwd=ROOT,
        text=True,
    ) as process:
        assert process.stdout is not None
        last = [process.stdout.readline(), process.stdout.readline()][-1]
        time.sleep(after_s)
        process.kill()
        return int([last, *process.stdout.read().split()][-1])
