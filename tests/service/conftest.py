"""Fixtures that read unit files with systemd's own parser (`systemd-analyze verify`)."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from nemod.service.unit import NAME, ServiceKind
from tests.conftest import lacks


def analyze(kind: ServiceKind, folder: Path, *arguments: str, debug: bool = False) -> str:
    """Return the output of `systemd-analyze`. Raises: AssertionError where it reports an error."""
    runtime = folder / "runtime"
    runtime.mkdir(mode=0o700, exist_ok=True)
    user = ["--user"] if kind is ServiceKind.USER else []
    level = {"SYSTEMD_LOG_LEVEL": "debug"} if debug else {}
    done = subprocess.run(
        ["systemd-analyze", *user, "--no-pager", *arguments],
        env={**os.environ, "XDG_RUNTIME_DIR": str(runtime), **level},
        capture_output=True,
        text=True,
        timeout=60,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    return output


Read = Callable[[ServiceKind, str], list[str]]


@pytest.fixture
def needs_systemd() -> None:
    """Skip where systemd's tools are not installed."""
    if shutil.which("systemd-analyze") is None:
        lacks("systemd-analyze is missing (Debian: systemd)")


@pytest.fixture
def read_command(needs_systemd: None, tmp_path: Path) -> Read:
    """Return a function that returns the arguments that systemd reads from a unit's ExecStart."""

    def read(kind: ServiceKind, text: str) -> list[str]:
        path = tmp_path / NAME
        path.write_text(text, encoding="utf-8")
        output = analyze(kind, tmp_path, "verify", "--man=no", str(path), debug=True)
        lines = set(re.findall(r"^\s*Command Line: (.*)$", output, re.MULTILINE))
        prepares = ("/dev/cpu_dma_latency", "scaling_governor")
        (line,) = (line for line in lines if not any(word in line for word in prepares))
        return [_bare(found) for found in re.findall(r'"(?:\\.|[^"\\])*"|\S+', line)]

    return read


def _bare(shown: str) -> str:
    """Return the text of an argument that systemd prints in shell notation."""
    if not shown.startswith('"'):
        return shown
    names = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}

    def sign(found: "re.Match[str]") -> str:
        escaped = found[1]
        if escaped[0] == "x":
            return chr(int(escaped[1:], 16))
        if len(escaped) == 3:
            return chr(int(escaped, 8))
        return names.get(escaped, escaped)

    return re.sub(r"\\(x[0-9a-f]{2}|[0-7]{3}|.)", sign, shown[1:-1])
