# ruff: noqa: T201 - a script prints
"""Runs other people's OSC and OSCQuery clients against a daemon and writes what they print.

    NEMOD_NODE_MODULES=DIR python tests/benchmarks/clients.py [--out docs]

Each program of `client_programs` and `client_programs_tcp` must print what it should, and leave the
positions that it set. DIR is a folder `node_modules` with npm's packages oscquery, ws and osc. What
avahi-browse shows needs root, for a network of its own.
"""

import argparse
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.benchmarks.client_programs import PROGRAMS, START, Program  # noqa: E402
from tests.benchmarks.client_programs_tcp import CONNECTED  # noqa: E402
from tests.parts import avahi  # noqa: E402
from tests.parts.daemon import Daemon, launch  # noqa: E402
from tests.parts.osc_client import OscClient  # noqa: E402

COMMANDS = {"sh": "bash", "js": "node", "python": sys.executable}
LONGEST_S = 120.0
SETTLED_S = 10.0
"""[s] In which a setting must have taken effect."""
SERVICES = ("_osc._udp", "_osc._tcp", "_oscjson._tcp")


class ClientError(Exception):
    """A client did not print what it should."""


def missing() -> list[str]:
    """Return what is needed and not installed."""
    tools = ("bash", "curl", "node", "oscsend", "oscdump", "oscsendfile")
    modules = ("aiohttp", "pyliblo3", "pythonosc", "pythonoscquery")
    lacking = [tool for tool in tools if shutil.which(tool) is None]
    lacking += [module for module in modules if find_spec(module) is None]
    folder = Path(os.environ.get("NEMOD_NODE_MODULES", "."))
    lacking += [f"npm's {n}" for n in ("oscquery", "ws", "osc") if not (folder / n).is_dir()]
    return lacking


def free_port() -> int:
    """Return a UDP port that nobody uses."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        port: int = opened.getsockname()[1]
        return port


@contextmanager
def running_daemon(home: Path) -> Iterator[Daemon]:
    """Run the daemon without a sound card, with a separate home."""
    kinds = ("CONFIG", "STATE", "DATA")
    environment = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in kinds}
    environment["NEMOD_CACHE"] = str(home / "cache")
    running = launch(["--device", "null", "--no-standby"], home, environment)
    try:
        yield running
    finally:
        running.end()


def run_program(program: Program, ports: dict[str, int], folder: Path) -> None:
    """Run a program. Raises: ClientError when it fails or prints something else."""
    source = program.source
    for shown, port in ports.items():
        source = source.replace(shown, str(port))
    path = folder / f"program.{program.language}"
    path.write_text(source, encoding="utf-8")
    done = subprocess.run(
        [COMMANDS[program.language], str(path)],
        cwd=folder,
        env={**os.environ, "NODE_PATH": os.environ["NEMOD_NODE_MODULES"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=LONGEST_S,
        check=False,
    )
    printed = done.stdout
    for shown, port in ports.items():
        printed = printed.replace(str(port), shown)
    if done.returncode or printed != program.expected:
        raise ClientError(
            f"{program.title}: exit status {done.returncode}\n--- printed\n{printed}"
            f"--- expected\n{program.expected}--- errors\n{done.stderr}"
        )


def check_positions(client: OscClient, program: Program) -> None:
    """Wait until all positions are as they should be. Raises: ClientError when they never are."""
    wanted = {**START, **program.positions}
    end = time.monotonic() + SETTLED_S
    while (found := {p: client.query(f"/nemo/{p}") for p in wanted}) != wanted:
        if time.monotonic() > end:
            raise ClientError(f"{program.title}: {found} instead of {wanted}")
        time.sleep(0.05)


def section(program: Program) -> str:
    """Return what the page says about a program that printed what it should."""
    return f"""## {program.title}

{textwrap.fill(program.notes, 100)}

```{program.language}
{program.source.rstrip()}
```

prints

```text
{program.expected.rstrip()}
```
"""


def announcement(folder: Path) -> str:
    """Return what avahi-browse shows on a second machine, nothing where that cannot be tried.

    Raises: ClientError, RuntimeError.
    """
    if not avahi.is_available():
        print(f"without avahi-browse: needs root and {', '.join(avahi.PROGRAMS)}", file=sys.stderr)
        return ""
    with avahi.two_machines(folder) as (stage, phone):
        home = {f"XDG_{kind}_HOME": str(folder) for kind in ("CONFIG", "STATE", "DATA")}
        daemon = stage.popen(
            *("unshare", "--uts", "sh", "-c", 'hostname stage && exec "$@"', "sh"),
            *(sys.executable, "-m", "nemod", "--device", "null", "--no-standby"),
            **{**home, "NEMOD_CACHE": str(folder.parent / "cache")},
        )
        try:
            avahi.wait_for(lambda: phone.browse(SERVICES[-1]), "an announcement")
            shown = []
            for service in SERVICES:
                avahi.wait_for(partial(phone.browse, service), service)
                lines = phone.run("avahi-browse", "-rt", service)
                shown.append(f"$ avahi-browse -rt {service}\n{lines.rstrip()}")
                port = "9080" if service == SERVICES[-1] else "9000"
                for part in ("nemod on stage", f"port = [{port}]", f"address = [{stage.address}]"):
                    if part not in lines:
                        raise ClientError(f"{service}: no {part!r} in\n{lines}")
        finally:
            daemon.terminate()
            daemon.wait(LONGEST_S)
    text = "\n".join(shown)
    return f"""## avahi-browse

Debian: `avahi-utils`. On a second machine, while nemod runs on the machine *stage* with its default
ports:

```text
{text}
```
"""


def page(announced: str) -> str:
    """Return the page of a run in which all programs printed what they should."""
    versions = ", ".join(
        f"{name} {metadata.version(name)}"
        for name in ("python-osc", "pyliblo3", "python-oscquery", "aiohttp")
    )
    return (
        "\n".join(
            [
                f"""# Clients

Made by `python tests/benchmarks/clients.py`, which runs each program against a daemon and fails
when one prints something else than is shown here, or leaves other positions than it has set. With
{versions}.

Each sets, queries, subscribes, is sent what another client sets, and sends a bundle. nemod runs on
the same machine (`nemod --device null` needs no sound card); for another one, put its address in
the place of `localhost`. Before each, bass, mid and treble are at 0.5, which is 0 dB.
""",
                *(section(program) for program in (*PROGRAMS, *CONNECTED)),
                announced,
            ]
        ).rstrip("\n")
        + "\n"
    )


def main() -> int:
    """Run all programs; print the page, or write it where `--out` says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="folder for clients.md")
    arguments = parser.parse_args()
    if lacking := missing():
        print(f"not installed: {', '.join(lacking)}", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="nemod-clients-") as name:
        home = Path(name)
        with running_daemon(home) as running:
            ports = {"9000": running.port, "9080": running.http_port(), "9001": free_port()}
            client = OscClient(running.port)
            for program in (*PROGRAMS, *CONNECTED):
                for path, position in START.items():
                    client.send(f"/nemo/{path}", position)
                check_positions(client, Program("before", "", "sh", "", ""))
                run_program(program, ports, home)
                check_positions(client, program)
                print(f"{program.title}: as expected", file=sys.stderr)
            client.close()
        (home / "machines").mkdir()
        announced = announcement(home / "machines")
    text = page(announced)
    if arguments.out is None:
        print(text)
    else:
        (arguments.out / "clients.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
