"""Which machines keep a standby process."""

from pathlib import Path

import pytest
import structlog

from nemod.daemon.standby import wants_standby


def machine(folder: Path, memory_kb: int) -> Path:
    """Return a /proc of a machine with so much memory."""
    (folder / "meminfo").write_text(f"MemTotal:       {memory_kb} kB\nMemFree: 1000 kB\n")
    return folder


@pytest.mark.parametrize(
    ("memory_kb", "expected"), [(931_000, False), (1_900_000, True), (8_000_000, True)]
)
def test_a_board_with_1_gb_keeps_none_and_says_so(
    memory_kb: int, expected: bool, tmp_path: Path
) -> None:
    """MemTotal of Raspberry Pis that are sold with 1, 2 and 8 GB."""
    with structlog.testing.capture_logs() as logs:
        assert wants_standby(None, machine(tmp_path, memory_kb)) is expected
    assert [log["memory_mb"] for log in logs] == ([] if expected else [953])
    assert all("--standby" in log["event"] for log in logs)


@pytest.mark.parametrize("wish", [True, False])
def test_the_configuration_decides_first(wish: bool, tmp_path: Path) -> None:
    """Without a word, however much memory there is."""
    with structlog.testing.capture_logs() as logs:
        assert wants_standby(wish, machine(tmp_path, 931_000)) is wish
    assert logs == []
