"""`nemod service`: the daemon as a service of systemd."""

import argparse
import difflib
import getpass
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nemod.cli.configuration import add_options, configuration
from nemod.common.command_line import SOURCE, Parser, parser
from nemod.common.errors import ConfigError, NemodError, did_you_mean
from nemod.config import Config
from nemod.config import arguments as config_arguments
from nemod.midi.permissions import controller_devices
from nemod.midi.start import FILE_NAME
from nemod.service import disk, systemctl
from nemod.service.unit import NAME, ServiceKind, UnitRequest, made_from, render

_WAIT_KEY = "audio.wait"
"""A service starts without its sound card, and uses it once it is connected."""
PRIORITY = 95
"""What the unit asks for with LimitRTPRIO."""
_SYSTEM_CONFIG = Path("/etc/nemod/config.yaml")
_SYSTEM_STATE = Path("/var/lib/nemod")
_RUN_ONLY = ("record", "seconds")
"""Options of the daemon that make no sense in a service."""

EPILOG = """\
install takes the daemon's options (see nemod --help) and writes them into the unit:
  nemod service install --device UMC202HD --block 64
  nemod service install --config ~/pedalboard.yaml

A user service (the default) runs while the user is logged in; `loginctl enable-linger` starts it
at boot. A system service (--system) runs as a user of its own, has access to sound cards and the
network only, and reads /etc/nemod/config.yaml and /var/lib/nemod/models.
"""


def main(argv: Sequence[str]) -> int:
    """Run `nemod service VERB`. Raises: NemodError."""
    verbs: dict[str, Callable[[Sequence[str]], int]] = {
        "install": install,
        "uninstall": uninstall,
        "status": status,
    }
    if not argv or argv[0].startswith("-"):
        made = _parser("")
        made.add_argument("verb", choices=list(verbs))
        made.parse_args(argv)
    verb = argv[0]
    if verb not in verbs:
        problem = f"unknown verb {verb!r}{did_you_mean(verb, verbs)}; allowed: {', '.join(verbs)}"
        raise ConfigError(SOURCE, [f"{problem} (nemod service --help tells more)"])
    return verbs[verb](argv[1:])


def _parser(verb: str) -> Parser:
    made = parser(
        f"nemod service {verb}".strip(),
        "Run the daemon as a systemd service.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    kind = made.add_mutually_exclusive_group()
    kind.add_argument(
        "--user",
        dest="kind",
        action="store_const",
        const=ServiceKind.USER,
        help="user service [default]",
    )
    kind.add_argument(
        "--system",
        dest="kind",
        action="store_const",
        const=ServiceKind.SYSTEM,
        help="system service",
    )
    made.add_argument(
        "--folder", type=Path, metavar="DIR", help="write the unit here, and leave systemd alone"
    )
    return made


# --- install -----------------------------------------------------------------------------------


def install(argv: Sequence[str]) -> int:
    """Write the unit, enable and start the service; what is up to date is left alone."""
    made = _parser("install")
    made.add_argument("--dry-run", action="store_true", help="print the unit and change nothing")
    made.usage = "nemod service install [--user|--system] [--dry-run] [options of the daemon]"
    add_daemon_options(made)
    arguments = made.parse_args(argv)
    kind = arguments.kind or ServiceKind.USER
    text = render(unit_request(kind, arguments))
    if arguments.dry_run:
        sys.stdout.write(text)
        return 0
    path = disk.unit_path(kind, arguments.folder)
    before = disk.read(path)
    if before == text:
        _print(f"{path}: up to date")
    else:
        disk.write(path, text)
        _print(f"{path}: {'written' if before is None else 'changed'}")
        if before is not None:
            _print(
                *difflib.unified_diff(
                    before.splitlines(), text.splitlines(), "before", "now", "", "", 0, ""
                )
            )
    if arguments.folder is not None:
        return 0
    return _start(kind, path, changed=before is not None and before != text)


def add_daemon_options(made: argparse.ArgumentParser) -> None:
    """Add the options that a unit can contain."""
    add_options(made)
    for name in _RUN_ONLY:
        made.add_argument(f"--{name}", help=argparse.SUPPRESS)


def unit_request(kind: ServiceKind, arguments: argparse.Namespace) -> UnitRequest:
    """Return what a unit with these options of the daemon is rendered from.

    Raises: ConfigError for wrong options or configuration, ServiceError where a system service
    could not read what it needs.
    """
    for name in _RUN_ONLY:
        if getattr(arguments, name) is not None:
            raise ConfigError(SOURCE, [f"--{name} is for one run, not for a service"])
    setattr(arguments, _WAIT_KEY, True)
    words = tuple(config_arguments.words(arguments))
    if kind is ServiceKind.SYSTEM and arguments.config is None:
        # Not root's own, which the service cannot read.
        arguments.config = str(_SYSTEM_CONFIG if _SYSTEM_CONFIG.exists() else os.devnull)
    config = configuration(arguments)
    if kind is ServiceKind.USER:
        return UnitRequest(kind=kind, arguments=words)
    for written in (config.state, config.presets, config.midi.bindings):
        if isinstance(written, Path) and not written.is_relative_to(_SYSTEM_STATE):
            raise disk.ServiceError(f"{written}: a system service can only write {_SYSTEM_STATE}")
    needed = _needed(Path(arguments.config), config)
    for path in needed:
        disk.check_readable(path)
    devices = controller_devices(config.midi, _SYSTEM_STATE / FILE_NAME)
    return UnitRequest(
        kind=kind,
        arguments=words,
        needed=needed,
        networks=tuple(config.osc.allow),
        devices=tuple(devices),
        groups=tuple(dict.fromkeys(group for group in devices.values() if group)),
    )


def _needed(source: Path, config: Config) -> tuple[Path, ...]:
    """Return what the daemon reads: interpreter, packages, configuration, models, cabinets."""
    package = Path(__file__).resolve().parents[2]
    interpreter = (Path(sys.prefix), Path(sys.base_prefix))
    needed = [*interpreter, package, *config.library, *config.cabinets]
    if source != Path(os.devnull):
        needed.append(source.absolute())
    needed += [Path(file) for file in (config.model, config.cab) if os.path.isabs(file)]
    return tuple(dict.fromkeys(needed))


def _start(kind: ServiceKind, path: Path, *, changed: bool) -> int:
    commands = [["daemon-reload"], ["enable", NAME], ["restart" if changed else "start", NAME]]
    reason = systemctl.reason_unavailable(kind)
    if reason:
        later = "\n".join(f"  {systemctl.command(kind, *words)}" for words in commands)
        raise disk.ServiceError(f"{reason}; the unit is written. To start it later:\n{later}")
    for words in commands:
        systemctl.run(kind, *words)
        _print(systemctl.command(kind, *words))
    if kind is ServiceKind.USER:
        _print(*_advice())
    return 0


def _advice() -> list[str]:
    """Return what limits a user service, and how to change that."""
    lines = []
    user = getpass.getuser()
    if not Path("/var/lib/systemd/linger", user).exists():
        lines.append(
            "The service runs while you are logged in. To start it at boot and keep it running:\n"
            f"  loginctl enable-linger {user}"
        )
    hard = resource.getrlimit(resource.RLIMIT_RTPRIO)[1]
    if hard != resource.RLIM_INFINITY and hard < PRIORITY:
        lines.append(
            f"The audio thread is limited to real-time priority {hard}. For {PRIORITY}, add the "
            "lines '@audio - rtprio 95' and '@audio - memlock unlimited' to "
            f"/etc/security/limits.d/audio.conf, add {user} to the group audio, and log in again"
        )
    return lines


# --- uninstall and status ----------------------------------------------------------------------


def uninstall(argv: Sequence[str]) -> int:
    """Stop the service and remove its unit; a missing unit is not an error."""
    arguments = _parser("uninstall").parse_args(argv)
    kind = arguments.kind or ServiceKind.USER
    path = disk.unit_path(kind, arguments.folder)
    if disk.read(path) is None:
        _print(f"{path}: not installed")
        return 0
    reachable = arguments.folder is None and not systemctl.reason_unavailable(kind)
    if reachable:
        systemctl.run(kind, "disable", "--now", NAME)
        _print(systemctl.command(kind, "disable", "--now", NAME))
    disk.remove(path)
    _print(f"{path}: removed")
    if reachable:
        systemctl.run(kind, "daemon-reload")
        _print(systemctl.command(kind, "daemon-reload"))
    return 0


def status(argv: Sequence[str]) -> int:
    """Print what is installed and whether it runs; return 0 when it does, else 1."""
    arguments = _parser("status").parse_args(argv)
    kinds = [arguments.kind] if arguments.kind else list(ServiceKind)
    running = [_status(kind, arguments.folder) for kind in kinds]
    return 0 if any(running) else 1


def _status(kind: ServiceKind, folder: Path | None) -> bool:
    path = disk.unit_path(kind, folder)
    text = disk.read(path)
    _print(f"{kind} service: {path}: {'installed' if text is not None else 'not installed'}")
    if text is None:
        return False
    _print(f"  {_difference(text)}")
    reason = systemctl.reason_unavailable(kind) if folder is None else "systemd is left alone"
    if reason:
        _print(f"  {reason}")
        return False
    unit = systemctl.unit_status(kind)
    _print(
        f"  {unit.enabled or unit.load}, {unit.active} ({unit.sub})",
        *([f"  {unit.status}"] if unit.status else []),
    )
    return unit.active == "active"


def _difference(text: str) -> str:
    """Return whether a unit is what `install` with its options would write today."""
    known = made_from(text)
    assert known is not None  # disk.read has checked it
    kind, words = known
    made = _parser("install")
    add_daemon_options(made)
    try:
        same = text == render(unit_request(kind, made.parse_args(words)))
    except NemodError as error:
        return f"cannot be rendered again: {error}"
    return "up to date" if same else "differs from what would be written now: install it again"


def _print(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201 - the answer
