"""`nemod service`: what it writes and prints, with systemd and without."""

import argparse
import grp
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from nemod.cli import service
from nemod.cli.configuration import configuration
from nemod.cli.service import unit_request
from nemod.service import systemctl
from nemod.service.disk import ServiceError, check_readable
from nemod.service.unit import NAME, ServiceKind, render
from tests.cli.conftest import Nemod

USER_UNIT = Path("systemd/user") / NAME


@pytest.fixture
def unit(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the user's unit is; systemd is not called."""
    monkeypatch.setattr(systemctl, "reason_unavailable", lambda kind: "systemd does not run here")
    return Path(os.environ["XDG_CONFIG_HOME"]) / USER_UNIT


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return the log of a fake systemctl, which answers as for a running service."""
    log = tmp_path / "asked"
    tool = tmp_path / "bin" / "systemctl"
    tool.parent.mkdir()
    tool.write_text(
        f'#!/bin/sh\necho "$*" >> {log}\n'
        'case "$*" in *show*) printf "LoadState=loaded\\nUnitFileState=enabled\\n'
        'ActiveState=active\\nSubState=running\\nStatusText=Amp Clean = loud\\n";; esac\n'
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}:{os.environ['PATH']}")
    monkeypatch.setattr(systemctl, "reason_unavailable", lambda kind: "")
    return log


def test_a_dry_run_prints_the_unit_and_writes_nothing(nemod: Nemod, unit: Path) -> None:
    """With the options given, and the one that waits for the device."""
    outcome = nemod("service", "install", "--dry-run", "--device", "UMC 202HD")
    assert (outcome.status, outcome.err) == (0, "")
    assert '-m nemod --device "UMC 202HD" --wait-for-device\n' in outcome.out
    assert not unit.exists()


def test_the_daemon_parses_the_command_of_the_unit() -> None:
    """Every option that a unit can contain, with the values that were given."""
    given = [
        *("--device", "UMC 202HD", "--input", "2", "--output", "1,2", "--rate", "model"),
        *("--block", "128", "--cpu-latency", "off", "--port", "9001", "--local"),
        *("--allow", "10.0.0.0/8", "--allow", "10.1.0.0/16", "--log-level", "debug", "--log-json"),
        *("--size", "0.5", "--model=-odd", "--library", "/a", "--library", "/b"),
        *("--no-state", "--no-standby", "--config", os.devnull),
    ]
    words = unit_request(ServiceKind.USER, _parsed(given)).arguments
    assert "--model=-odd" in words
    before, after = configuration(_parsed(given)), configuration(_parsed(words))
    assert after == replace(before, audio=replace(before.audio, wait=True))
    assert before.library == (Path("/a"), Path("/b"))


def _parsed(words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of `nemod service install`."""
    made = argparse.ArgumentParser()
    service.add_daemon_options(made)
    return made.parse_args(words)


def test_without_systemd_a_usable_file_is_left(nemod: Nemod, unit: Path) -> None:
    """The error says why, and what to run where systemd runs; the second time nothing changes."""
    first = nemod("service", "install", "--device", "null")
    assert first.status == 1
    assert f"{unit}: written" in first.out
    assert "systemd does not run here; the unit is written" in first.err
    assert "systemctl --user enable nemod.service" in first.err
    written = unit.read_text()
    assert f"{unit}: up to date" in nemod("service", "install", "--device", "null").out
    assert unit.read_text() == written
    assert [path.name for path in unit.parent.iterdir()] == [NAME]


def test_a_change_is_shown(nemod: Nemod, tmp_path: Path) -> None:
    """Line by line, when the unit is installed anew with other options."""
    nemod("service", "install", "--folder", tmp_path, "--device", "null")
    outcome = nemod("service", "install", "--folder", tmp_path, "--device", "demo")
    assert outcome.status == 0
    assert "nemod.service: changed" in outcome.out
    assert [line[:11] for line in outcome.out.splitlines() if "ExecStart" in line] == [
        "-ExecStart=",
        "+ExecStart=",
    ]


def test_systemctl_is_called_in_order(nemod: Nemod, asked: Path) -> None:
    """Install reloads, enables and starts, or restarts; uninstall stops and removes."""
    assert nemod("service", "install", "--device", "null").status == 0
    nemod("service", "install", "--device", "demo")
    status = nemod("service", "status", "--user")
    assert nemod("service", "uninstall").status == 0
    told = [line.split("--no-ask-password ")[1] for line in asked.read_text().splitlines()]
    start = ["daemon-reload", "enable nemod.service"]
    assert [words for words in told if not words.startswith("show")] == [
        *start,
        "start nemod.service",
        *start,
        "restart nemod.service",
        "disable --now nemod.service",
        "daemon-reload",
    ]
    assert status.status == 0
    assert "up to date" in status.out
    assert "enabled, active (running)" in status.out
    assert "Amp Clean = loud" in status.out


def test_status_reports_an_edited_unit(nemod: Nemod, unit: Path) -> None:
    """And a unit that is not installed; 1, because nothing runs."""
    assert "not installed" in nemod("service", "status").out
    nemod("service", "install", "--device", "null")
    assert "up to date" in nemod("service", "status").out
    unit.write_text(unit.read_text().replace("WatchdogSec=20", "WatchdogSec=99"))
    outcome = nemod("service", "status")
    assert outcome.status == 1
    assert "differs from what would be written now" in outcome.out
    assert "systemd does not run here" in outcome.out


def test_uninstall_without_a_unit_is_no_error(nemod: Nemod, unit: Path) -> None:
    """It is reported; an installed unit is removed."""
    assert nemod("service", "uninstall") == (0, f"{unit}: not installed\n", "")
    nemod("service", "install", "--device", "null")
    assert nemod("service", "uninstall") == (0, f"{unit}: removed\n", "")
    assert not unit.exists()


@pytest.mark.parametrize("what", ["file", "link"])
def test_a_unit_that_nemod_did_not_write_stays(
    nemod: Nemod, unit: Path, tmp_path: Path, what: str
) -> None:
    """Neither overwritten nor removed, be it a file or a link (as of a masked unit)."""
    unit.parent.mkdir(parents=True)
    theirs = unit if what == "file" else tmp_path / "theirs"
    theirs.write_text("[Service]\nExecStart=/bin/true\n")
    if what == "link":
        unit.symlink_to(theirs)
    for verb in (["install", "--device", "null"], ["uninstall"]):
        outcome = nemod("service", *verb)
        assert outcome.status == 1
        assert "first" in outcome.err
    assert theirs.read_text() == "[Service]\nExecStart=/bin/true\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["instal"], "did you mean 'install'?"),
        (["install", "--devise", "x"], "did you mean '--device'?"),
        (["install", "--block", "7"], "32 to 1024 frames"),
        (["install", "--record", "x.wav"], "--record is for one run"),
        (["install", "--seconds", "3"], "--seconds is for one run"),
        (["install", "--config", "/nowhere.yaml"], "/nowhere.yaml: No such file"),
        (["install", "--system", "--user"], "not allowed with"),
        (["uninstall", "--device", "x"], "unrecognized arguments: --device x"),
        ([], "required: verb"),
    ],
)
def test_wrong_options_are_refused_before_anything_is_written(
    nemod: Nemod, unit: Path, arguments: list[str], said: str
) -> None:
    """Otherwise they would only be found when the service starts."""
    outcome = nemod("service", *arguments)
    assert outcome.status == 2
    assert said in outcome.err
    assert not unit.exists()


def test_paths_become_absolute(
    nemod: Nemod, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, amp: Path
) -> None:
    """A service runs in another folder; a model that is a name stays a name."""
    monkeypatch.chdir(tmp_path)
    Path("my config.yaml").write_text("size: 1.0\n")
    options = ["--config=my config.yaml", "--library=amps", "--model", "fuzz", "--state", "my.json"]
    out = nemod("service", "install", "--dry-run", *options).out
    assert f'--config "{tmp_path}/my config.yaml" ' in out
    assert f"--model fuzz --library {tmp_path}/amps --state {tmp_path}/my.json\n" in out
    monkeypatch.chdir(amp.parent)
    assert f"--model {amp}\n" in nemod("service", "install", "--dry-run", "--model", amp.name).out
    monkeypatch.setenv("HOME", str(amp.parent))
    out = nemod("service", "install", "--dry-run", "--model", f"~/{amp.name}").out
    assert f"--model {amp}\n" in out


def test_a_system_service_allows_the_networks_of_its_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`osc.allow` of /etc/nemod/config.yaml is in the kernel's list too."""
    config = tmp_path / "config.yaml"
    config.write_text("osc: {allow: [100.64.0.0/10]}\n")
    monkeypatch.setattr("nemod.service.disk.check_readable", lambda path: None)
    monkeypatch.setattr(service, "_SYSTEM_CONFIG", config)
    request = unit_request(ServiceKind.SYSTEM, _parsed(["--device", "null"]))
    assert request.networks == ("100.64.0.0/10",)
    assert config in request.needed


def test_a_system_service_keeps_state_and_presets_in_its_own_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It cannot write anywhere else."""
    monkeypatch.setattr("nemod.service.disk.check_readable", lambda path: None)
    for option in ("--state", "--presets"):
        with pytest.raises(ServiceError, match=r"/srv/own: a system service can only write /var"):
            unit_request(ServiceKind.SYSTEM, _parsed([option, "/srv/own"]))
        words = unit_request(ServiceKind.SYSTEM, _parsed([option, "/var/lib/nemod/own"])).arguments
        assert words == ("--wait-for-device", option, "/var/lib/nemod/own")


@pytest.mark.parametrize(
    ("bindings", "devices"),
    [
        ("[{cc: 20, target: gain}]", ()),
        ("[{key: PAGEDOWN, device: AirTurn, target: preset/next}]", ("char-input",)),
        ("[{pin: 17, target: bypass}, {encoder: [5, 6], target: gain}]", ("char-gpiochip",)),
    ],
)
def test_a_system_service_may_use_the_controllers_that_are_bound(
    bindings: str, devices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Input devices and pins, only where the file of bindings names any."""
    monkeypatch.setattr("nemod.service.disk.check_readable", lambda path: None)
    monkeypatch.setattr(service, "_SYSTEM_STATE", tmp_path)
    (tmp_path / "bindings.yaml").write_text(f"bindings: {bindings}\n")
    request = unit_request(ServiceKind.SYSTEM, _parsed([]))
    assert request.devices == devices
    lines = render(request).splitlines()
    allowed = [line for line in lines if line.startswith("DeviceAllow=char-")]
    assert allowed == ["DeviceAllow=char-alsa rw", *(f"DeviceAllow={one} rw" for one in devices)]
    assert unit_request(ServiceKind.SYSTEM, _parsed(["--no-midi"])).devices == ()


def test_a_system_service_may_use_a_serial_port_with_midi(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By its path; groups that this machine does not have are left out, or it would not start."""
    monkeypatch.setattr("nemod.service.disk.check_readable", lambda path: None)
    port = tmp_path / "ttyAMA0"
    port.write_text("")
    request = unit_request(ServiceKind.SYSTEM, _parsed(["--raw-midi", str(port)]))
    assert request.devices == (str(port),)
    known = {group.gr_name for group in grp.getgrall()}
    assert known.issuperset(request.groups)


def test_what_the_user_of_the_service_cannot_read_is_reported(tmp_path: Path) -> None:
    """With its mode; folders above a hidden one do not matter, because it is bind-mounted."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o750)
    with pytest.raises(ServiceError, match=f"{closed}: mode 750 keeps .* let others read it"):
        check_readable(closed)
    closed.chmod(0o755)
    check_readable(closed)
    with pytest.raises(ServiceError, match="No such file"):
        check_readable(closed / "nothing")
