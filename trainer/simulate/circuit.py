"""Reads the netlists of circuits, with their titles and knobs.

A netlist is plain ngspice text with three conventions:

- the guitar drives node `in` against ground, and the voltage of node `out` is recorded;
- a line `*nemod knob NAME DEFAULT` declares a knob with its default position (0..1); its name is a
  parameter of the netlist, as in `r1 a w {99998*(1-NAME)+1}`;
- a line `*nemod title TEXT` describes the circuit.

A netlist contains its own supply, load and models, but no source at `in`, no analysis and no
`.end`: the simulator adds those.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from nemod.common.errors import ConfigError, NemodError, did_you_mean

MAX_NETLIST_BYTES = 1 << 20
_CIRCUITS = resources.files("trainer.simulate") / "circuits"
_KNOB = re.compile(r"\*nemod\s+knob\s+(?P<name>\S+)\s+(?P<default>\S+)\s*", re.IGNORECASE)
_TITLE = re.compile(r"\*nemod\s+title\s+(?P<title>.+)", re.IGNORECASE)
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_RESERVED = (".control", ".endc", ".tran", ".ac", ".dc", ".op", ".end", ".options", ".option")
"""Commands that the simulator adds; a second one in the netlist would contradict them."""


class CircuitError(NemodError):
    """A circuit that cannot be simulated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """A netlist with its knobs."""

    name: str
    title: str
    netlist: str
    knobs: Mapping[str, float]
    """Default position (0..1) of each knob, in the order of the netlist."""

    @property
    def digest(self) -> str:
        """SHA-256 of the netlist (hexadecimal)."""
        return hashlib.sha256(self.netlist.encode()).hexdigest()

    def setting(self, given: Mapping[str, float]) -> dict[str, float]:
        """Return the position of every knob: the given one, or its default.

        Raises: ConfigError for a knob that the circuit does not have.
        """
        for name in given:
            if name not in self.knobs:
                near = did_you_mean(name, self.knobs)
                allowed = ", ".join(self.knobs) or "none"
                problem = f"{name!r} is not a knob of {self.name}{near}; its knobs: {allowed}"
                raise ConfigError("command line", [problem])
        return {name: float(given.get(name, default)) for name, default in self.knobs.items()}


def shipped() -> list[Circuit]:
    """Return the included circuits, sorted by name."""
    files = [file for file in _CIRCUITS.iterdir() if file.name.endswith(".cir")]
    return [
        parse(file.name.removesuffix(".cir"), file.read_text(encoding="utf-8"))
        for file in sorted(files, key=lambda file: file.name)
    ]


def find(name: str) -> Circuit:
    """Return the included circuit of a name, or the circuit of a netlist file.

    Raises: ConfigError for an unknown name; CircuitError for a netlist that breaks a convention.
    """
    circuits = {circuit.name: circuit for circuit in shipped()}
    if name in circuits:
        return circuits[name]
    path = Path(name)
    if not path.is_file():
        near = did_you_mean(name, circuits)
        problem = f"{name!r} is neither a circuit{near} nor a netlist file"
        raise ConfigError("command line", [f"{problem}; circuits: {', '.join(circuits)}"])
    try:
        with path.open("rb") as file:
            data = file.read(MAX_NETLIST_BYTES + 1)
        text = data.decode("utf-8")
    except OSError as error:
        raise CircuitError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise CircuitError(f"{path}: is not UTF-8 text") from None
    if len(data) > MAX_NETLIST_BYTES:
        raise CircuitError(f"{path}: larger than {MAX_NETLIST_BYTES} bytes")
    return parse(path.stem, text, str(path))


def parse(name: str, netlist: str, where: str = "") -> Circuit:
    """Return the circuit of a netlist; error messages begin with `where`.

    Raises: CircuitError that names the line which breaks a convention.
    """
    where = where or name
    title, knobs = name, {}
    nodes: set[str] = set()
    for number, raw in enumerate(netlist.splitlines(), 1):
        line = raw.strip()
        words = line.casefold().split()
        if not words:
            continue
        if words[0] in _RESERVED:
            problem = f"remove {words[0]}, which the simulator adds"
            raise CircuitError(f"{where}: line {number}: {problem}")
        if found := _TITLE.fullmatch(line):
            title = found["title"]
        elif found := _KNOB.fullmatch(line):
            knobs[found["name"]] = _default(found["name"], found["default"], where, number)
        elif not line.startswith("*"):
            nodes.update(words[1:])
    for node in ("in", "out"):
        if node not in nodes:
            raise CircuitError(f"{where}: nothing is connected to node {node!r}")
    return Circuit(name=name, title=title, netlist=netlist, knobs=knobs)


def _default(name: str, text: str, where: str, number: int) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not _NAME.fullmatch(name):
        problem = f"knob name {name!r}: use lower-case letters, digits and _, as in 'tone'"
    elif not 0.0 <= value <= 1.0:
        problem = f"default of knob {name!r} is {text!r}: expected 0..1"
    else:
        return value
    raise CircuitError(f"{where}: line {number}: {problem}")
