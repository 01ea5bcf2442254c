"""`nemod doctor`: what on this machine causes dropouts or silence, and what to do about it."""

import dataclasses
import json
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from nemod.cli.configuration import add_options, configuration
from nemod.common.command_line import parser
from nemod.common.paths import cache_folder, data_folder, state_folder
from nemod.config.options import HTTP_PORT_ABOVE_OSC
from nemod.doctor.checks import run
from nemod.doctor.finding import Finding, Level
from nemod.doctor.machine import this_machine

_OPTIONS = ("osc.port", "http.port", "audio.device", "audio.input_device")
_MARKS = {
    Level.OK: ("ok", "green"),
    Level.ADVICE: ("advice", "yellow"),
    Level.PROBLEM: ("problem", "bold red"),
    Level.UNKNOWN: ("?", "dim"),
}


def main(argv: Sequence[str]) -> int:
    """Run all checks; return 1 where one of them found a problem, else 0."""
    made = parser(
        "nemod doctor",
        "Check what on this machine causes dropouts or silence, and say what to do about it. "
        "Nothing is changed and no sound card is opened. The exit status is 1 if there is a "
        "problem; advice does not count.",
    )
    made.add_argument("--json", action="store_true", help="print a JSON object")
    made.add_argument("--all", action="store_true", help="also show what is well")
    add_options(made, *_OPTIONS)
    arguments = made.parse_args(argv)
    config = configuration(arguments)
    osc, http = config.osc.port, config.http.port
    machine = this_machine(
        (state_folder(), data_folder(), cache_folder()),
        osc,
        (osc + HTTP_PORT_ABOVE_OSC if osc else 0) if http is None else http,
        config.audio.device,
        config.audio.input_device,
    )
    findings = run(machine)
    count = sum(finding.level is Level.PROBLEM for finding in findings)
    if arguments.json:
        found = {"problems": count, "findings": [dataclasses.asdict(one) for one in findings]}
        print(json.dumps(found, indent=2))  # noqa: T201 - the answer
    else:
        _show(findings, count, show_all=arguments.all)
    return 1 if count else 0


def _show(findings: Sequence[Finding], count: int, *, show_all: bool) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for finding in findings:
        if finding.level is Level.OK and not show_all:
            continue
        mark, style = _MARKS[finding.level]
        console.print(Text(f"{mark:<8}", style), Text(f"{finding.check}: {finding.text}"))
        if finding.remedy:
            console.print(Text(f"{'':9}-> {finding.remedy}"))
    well = sum(finding.level is Level.OK for finding in findings)
    hint = "" if show_all or not well else " (--all shows them)"
    console.print(f"problems: {count}; well: {well}{hint}", markup=False)
