"""The unit file: how systemd parses it, and how systemd rates its sandbox."""

import re
import sys
from pathlib import Path

import pytest

from nemod.service.quote import QuoteError, mount, program, word
from nemod.service.unit import NAME, ServiceKind, UnitRequest, bound, made_from, render
from tests.service.conftest import Read, analyze

AWKWARD = (
    "UMC 202HD",
    'a "quoted" one',
    "it's",
    "50%h and %%",
    "$HOME ${HOME} $$",
    "line\nbreak\ttab\x07\x7f\r",
    "ExecStart=x\n[Service]\nUser=root",
    ";",
    "\\x41 \\n \\",
    "Überdrive 効果",
    "#not a comment",
    "@exec_start@",
    "-",
)


@pytest.mark.parametrize("kind", ServiceKind)
def test_systemd_parses_every_argument_unchanged(kind: ServiceKind, read_command: Read) -> None:
    """Names with blanks, quotes, %, $ and line breaks, read by systemd's own parser."""
    text = render(UnitRequest(kind=kind, arguments=("--device", *AWKWARD)))
    assert read_command(kind, text) == [sys.executable, "-m", "nemod", "--device", *AWKWARD]


@pytest.mark.parametrize("kind", ServiceKind)
def test_systemd_accepts_the_unit_without_a_warning(
    kind: ServiceKind, needs_systemd: None, tmp_path: Path
) -> None:
    """`systemd-analyze verify` prints nothing, even with awkward folder names among the mounts."""
    needed = (Path("/home/a b/n%h:x"), Path('/root/"q"'))
    (tmp_path / NAME).write_text(render(UnitRequest(kind=kind, arguments=(), needed=needed)))
    assert analyze(kind, tmp_path, "verify", "--man=no", str(tmp_path / NAME)) == ""


@pytest.mark.parametrize(("kind", "at_most"), [(ServiceKind.SYSTEM, 1.5), (ServiceKind.USER, 6.6)])
def test_the_sandbox_is_as_tight_as_stated(
    kind: ServiceKind, at_most: float, needs_systemd: None, tmp_path: Path
) -> None:
    """`systemd-analyze security` rates it no worse than SECURITY.md says."""
    (tmp_path / NAME).write_text(render(UnitRequest(kind=kind, arguments=("--device", "demo"))))
    output = analyze(kind, tmp_path, "security", "--offline=true", str(tmp_path / NAME))
    (rated,) = re.findall(rf"exposure level for {NAME}: ([0-9.]+)", output)
    assert float(rated) <= at_most


@pytest.mark.parametrize("kind", ServiceKind)
def test_every_setting_has_a_comment(kind: ServiceKind) -> None:
    """Each block of settings has a comment above it, and no placeholder is left."""
    before = ""
    for line in render(UnitRequest(kind=kind, arguments=())).splitlines():
        if line and not line.startswith(("#", "[", "Description=", "WantedBy=multi-user")):
            assert before, f"{line} without a comment"
        if not line or line.startswith("["):
            before = ""
        elif line.startswith("#"):
            before = line
        assert not re.search(r"@[a-z_]+@|^#:", line)


def test_settings_that_would_break_audio_are_absent() -> None:
    """XLA's machine code, real time, sound cards and memory shared with servers are allowed."""
    text = render(UnitRequest(kind=ServiceKind.SYSTEM, arguments=()))
    keys = set(re.findall(r"^(\w+)=", text, re.MULTILINE))
    assert keys.isdisjoint(
        {"MemoryDenyWriteExecute", "RestrictRealtime", "PrivateDevices", "PrivateIPC"}
    )
    assert {"DeviceAllow", "LimitRTPRIO", "LimitMEMLOCK", "WatchdogSec"} <= keys


def test_the_request_is_read_back_from_a_unit() -> None:
    """Even if the unit was edited since; other texts are not recognised."""
    request = UnitRequest(kind=ServiceKind.USER, arguments=("--device", *AWKWARD))
    text = render(request).replace("WatchdogSec=20", "WatchdogSec=60")
    assert made_from(text) == (request.kind, request.arguments)
    assert made_from("[Service]\nExecStart=/usr/bin/nemod\n") is None
    assert made_from('# nemod-service: ["nobody"]\n') is None


def test_only_hidden_folders_are_bound() -> None:
    """A folder inside another bound folder needs no mount of its own."""
    needed = [Path(p) for p in ("/home/me/nemod/.venv", "/home/me/nemod", "/usr", "/opt/amps")]
    assert bound([*needed, Path("/homes/x")]) == [Path("/home/me/nemod")]


@pytest.mark.parametrize("path", ["nemod", "/a/b\nc", "/it's", '/a"b', "/a\\b"])
def test_a_program_path_that_systemd_cannot_start_is_refused(path: str) -> None:
    """The path may contain blanks, but no quotes, backslashes or control characters."""
    assert program("/opt/a b%/python") == '"/opt/a b%%/python"'
    with pytest.raises(QuoteError, match="install nemod somewhere else"):
        program(path)


def test_characters_that_a_unit_cannot_contain_are_refused() -> None:
    """NUL anywhere, a control character in a mount; a byte that is not UTF-8 is kept."""
    with pytest.raises(QuoteError, match="NUL byte"):
        word("a\0b")
    with pytest.raises(QuoteError, match="control characters"):
        mount("/home/a\nb")
    assert word("/amps/\udcff") == '"/amps/\\xff"'
    assert word("") == '""'
