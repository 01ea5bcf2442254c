"""`nemod service`: the daemon as a service of systemd."""

import argparse
import difflib
import getpass
import os
import resource
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from nemod.cli import play
from nemod.cli.options import Parser, configuration, parser
from nemod.common.errors import ConfigError, NemodError, did_you_mean
from nemod.config import Config
from nemod.service import disk, systemctl
from nemod.service.unit import NAME, Kind, Wanted, made_from, render

WAIT = "--wait-for-device"
"""A service begins without its sound card and takes it when it comes."""
PRIORITY = 95
"""What the unit asks for with LimitRTPRIO."""
_MACHINE_CONFIG = Path("/etc/nemod/config.yaml")
_PATHS = ("--config", "--library", "--model")
"""Options whose value is a path, or may be one."""
_ONCE = ("record", "seconds")

EPILOG = """\
install takes the daemon's options (nemod --help) and puts them into the unit:
  nemod service install --device UMC202HD --block 64
  nemod service install --config ~/pedalboard.yaml

A service of the user (the default) runs while the user is logged in; `loginctl enable-linger`
begins it at boot. A service of the machine (--system) runs as a user of its own, sees nothing but
sound cards and the network, and reads /etc/nemod/config.yaml and /var/lib/nemod/models.
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
        near = did_you_mean(verb, verbs)
        problem = f"{verb!r} is no verb of service{near}; {', '.join(verbs)} are"
        raise ConfigError("command line", [f"{problem} (nemod service --help tells more)"])
    return verbs[verb](argv[1:])


def _parser(verb: str) -> Parser:
    made = parser(
        f"nemod service {verb}".strip(),
        "Keep the daemon running as a service of systemd.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    whose = made.add_mutually_exclusive_group()
    whose.add_argument(
        "--user", dest="kind", action="store_const", const=Kind.USER, help="of the user [default]"
    )
    whose.add_argument(
        "--system", dest="kind", action="store_const", const=Kind.SYSTEM, help="of the machine"
    )
    made.add_argument(
        "--folder", type=Path, metavar="DIR", help="for the unit file alone; systemd is not asked"
    )
    return made


# --- install -----------------------------------------------------------------------------------


def install(argv: Sequence[str]) -> int:
    """Write the unit, enable and start it; what is so already stays so."""
    made = _parser("install")
    made.add_argument("--dry-run", action="store_true", help="print the unit and change nothing")
    made.usage = "nemod service install [--user|--system] [--dry-run] [the daemon's options]"
    arguments, rest = made.parse_known_args(argv)
    kind = arguments.kind or Kind.USER
    text = render(wanted(kind, rest))
    if arguments.dry_run:
        sys.stdout.write(text)
        return 0
    path = disk.unit_path(kind, arguments.folder)
    before = disk.found(path)
    if before == text:
        _say(f"{path}: is as it should be")
    else:
        disk.write(path, text)
        _say(f"{path}: {'written' if before is None else 'changed'}")
        if before is not None:
            _say(
                *difflib.unified_diff(
                    before.splitlines(), text.splitlines(), "before", "now", "", "", 0, ""
                )
            )
    if arguments.folder is not None:
        return 0
    return _start(kind, path, changed=before is not None and before != text)


def wanted(kind: Kind, options: Sequence[str]) -> Wanted:
    """Return what a unit with these options of the daemon is made from.

    Raises: ConfigError for wrong options or configuration, ServiceError where a service of the
    machine could not read what it needs.
    """
    whole = _absolute(options)
    arguments = play.read_arguments(whole)
    for name in _ONCE:
        if getattr(arguments, name, None) is not None:
            raise ConfigError("command line", [f"--{name} is for one run, not for a service"])
    if kind is Kind.SYSTEM and arguments.config is None:
        # Not root's own, which the service does not see.
        arguments.config = _MACHINE_CONFIG if _MACHINE_CONFIG.exists() else Path(os.devnull)
    config = configuration(arguments, play.PATHS)
    if WAIT not in whole:
        whole.append(WAIT)
    if kind is Kind.USER:
        return Wanted(kind=kind, arguments=tuple(whole))
    needed = _needed(arguments.config, config)
    for path in needed:
        disk.check_readable(path)
    return Wanted(
        kind=kind, arguments=tuple(whole), needed=needed, networks=tuple(config.osc.allow)
    )


def _absolute(options: Sequence[str]) -> list[str]:
    """Return the options with full paths: a service runs in another folder."""
    made: list[str] = []
    for option in options:
        name, equals, value = option.partition("=")
        if equals and name in _PATHS:
            made.append(f"{name}={_full(name, value)}")
        elif made and made[-1] in _PATHS:
            made.append(_full(made[-1], option))
        else:
            made.append(option)
    return made


def _full(name: str, value: str) -> str:
    path = Path(value).expanduser()
    # A model is named by the library, or is a file.
    return value if name == "--model" and not path.is_file() else str(path.absolute())


def _needed(source: Path, config: Config) -> tuple[Path, ...]:
    """Return what the daemon reads: interpreter, packages, configuration, models."""
    package = Path(__file__).resolve().parents[2]
    model = Path(config.model)
    mentioned = [Path(sys.prefix), Path(sys.base_prefix), package, *config.library]
    if source != Path(os.devnull):
        mentioned.append(source)
    if config.model and model.is_file():
        mentioned.append(model)
    return tuple(dict.fromkeys(path.absolute() for path in mentioned))


def _start(kind: Kind, path: Path, *, changed: bool) -> int:
    commands = [["daemon-reload"], ["enable", NAME], ["restart" if changed else "start", NAME]]
    absent = systemctl.reason_absent(kind)
    if absent:
        later = "\n".join(f"  {systemctl.command(kind, *words)}" for words in commands)
        raise disk.ServiceError(
            f"{absent}; the unit is written, and later these start it:\n{later}"
        )
    for words in commands:
        systemctl.call(kind, *words)
        _say(systemctl.command(kind, *words))
    if kind is Kind.USER:
        _say(*_advice())
    return 0


def _advice() -> list[str]:
    """Return what keeps a service of the user from the stage, and what to do."""
    lines = []
    user = getpass.getuser()
    if not Path("/var/lib/systemd/linger", user).exists():
        lines.append(
            "It runs while you are logged in. To begin at boot and to stay:\n"
            f"  loginctl enable-linger {user}"
        )
    hard = resource.getrlimit(resource.RLIMIT_RTPRIO)[1]
    if hard != resource.RLIM_INFINITY and hard < PRIORITY:
        lines.append(
            f"The audio thread may have priority {hard} at most. For {PRIORITY}: the lines "
            "'@audio - rtprio 95' and '@audio - memlock unlimited' in "
            f"/etc/security/limits.d/audio.conf, {user} in the group audio, and a new login"
        )
    return lines


# --- uninstall and status ----------------------------------------------------------------------


def uninstall(argv: Sequence[str]) -> int:
    """Stop the service and remove its unit; where there is none, that is said."""
    arguments = _parser("uninstall").parse_args(argv)
    kind = arguments.kind or Kind.USER
    path = disk.unit_path(kind, arguments.folder)
    if disk.found(path) is None:
        _say(f"{path}: is not there")
        return 0
    reachable = arguments.folder is None and not systemctl.reason_absent(kind)
    if reachable:
        systemctl.call(kind, "disable", "--now", NAME)
        _say(systemctl.command(kind, "disable", "--now", NAME))
    disk.remove(path)
    _say(f"{path}: removed")
    if reachable:
        systemctl.call(kind, "daemon-reload")
        _say(systemctl.command(kind, "daemon-reload"))
    return 0


def status(argv: Sequence[str]) -> int:
    """Say what is installed and whether it runs; 0 when it does, else 1."""
    arguments = _parser("status").parse_args(argv)
    kinds = [arguments.kind] if arguments.kind else list(Kind)
    running = [_status(kind, arguments.folder) for kind in kinds]
    return 0 if any(running) else 1


def _status(kind: Kind, folder: Path | None) -> bool:
    path = disk.unit_path(kind, folder)
    text = disk.found(path)
    _say(f"{kind} service: {path}: {'installed' if text is not None else 'not installed'}")
    if text is None:
        return False
    _say(f"  {_difference(text)}")
    absent = systemctl.reason_absent(kind) if folder is None else "systemd is not asked"
    if absent:
        _say(f"  {absent}")
        return False
    heard = systemctl.ask(kind)
    _say(
        f"  {heard.enabled or heard.load}, {heard.active} ({heard.sub})",
        *([f"  {heard.status}"] if heard.status else []),
    )
    return heard.active == "active"


def _difference(text: str) -> str:
    """Say whether a unit is what `install` with its options would write today."""
    known = made_from(text)
    assert known is not None  # disk.found has looked
    try:
        same = text == render(wanted(*known))
    except NemodError as error:
        return f"could not be made again: {error}"
    return "up to date" if same else "differs from what would be written now: install it again"


def _say(*lines: str) -> None:
    for line in lines:
        print(line)  # noqa: T201 - the answer
