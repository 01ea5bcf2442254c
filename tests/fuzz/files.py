"""Reads mutated configuration, state and preset files in a process with limited memory.

`python -m tests.fuzz.files KIND COUNT SEED FOLDER` is that process; `read_files` starts it.
"""

import copy
import json
import logging
import random
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import structlog
import yaml

from nemod import config
from nemod.common.errors import ConfigError
from nemod.common.kept_files import DamagedFileError, read_kept
from nemod.config.loader import MAX_CONFIG_BYTES
from nemod.daemon import session
from nemod.presets.preset import MAX_BYTES, Preset
from nemod.presets.reader import parse
from nemod.presets.writer import to_text
from tests.chains import BOARD, chain_of

MEMORY_BYTES = 512 << 20
"""Address space of the process; without a limit, a file that expands could exhaust the machine."""
STEP = 100
LONGEST_MESSAGE = 8000

CONFIG = """\
audio: {device: UMC202HD, input: 1, output: [1, 2], rate: 48000, block: 64}
osc:
  port: 9000
  local: false
  allow: [10.8.0.0/24, "fd00::/8"]
log: {level: info, json: true}
level: {normalize: true, input_dbu: 12.5}
size: 0.5
model: drive-gru20
chains: {lead: [gate, pedal: {kind: model, file: fuzz}, split: {a: [cab], b: []}, delay]}
library: [~/amps, /srv/models]
"""
STATE = session.to_text(
    session.Session(
        chain=BOARD,
        paths={"model2": "/srv/models/drive.json"},
        positions={"gain": 0.5, "delay/mix": 0.25, "echo/mix": 0.5, "bypass": 1.0},
    )
)
PRESET = to_text(
    Preset(
        name="Lead",
        chain=chain_of("drive-gru20", sha256="0123456789abcdef" * 4, size=0.5),
        positions={"gain": 0.5, "delay/mix": 0.25, "bypass": 1.0, "knob/3": 0.75},
        snapshots={0: {"gain": 0.25, "reverb/mix": 0.5}, 7: {"gain": 0.75}},
        unknown={"cab": {"load": "5150", "parts": [1, None, True]}},
        unknown_positions={"fuzz/bias": 0.5},
    )
)
TEMPLATES = {"config": CONFIG, "state": STATE, "preset": PRESET}
MOST_BYTES = {"config": MAX_CONFIG_BYTES, "state": session.MAX_BYTES, "preset": MAX_BYTES}
JUNK: list[Any] = [
    *(None, True, "", "x", "nan", "~nobody/x", "/", "\0", "\ud800", "::1/999", "A" * 20_000),
    *(-1, 0, 1, 65, 10**6, 10**18, 10**300, -0.5, 1e39, float("nan"), float("inf")),
    *([], {}, [[]], [1, "2", None], [1] * 5000, {"audio": {"audio": {}}}, list(range(300))),
]
TEXTS = {
    "config": (
        *("[" * 5000, "{" * 5000, "- " * 5000, "? " * 5000, "9" * 100_000, "1:" * 20_000 + "1"),
        *("&a [*a]", "*a", "<<: {a: 1}\n", "<<: *a\n", "!!python/object/apply:os.system [id]"),
        *(
            "!!binary x",
            "!!set {a}",
            "!!omap [a: 1]",
            "!!timestamp 9999-99-99",
            "!<x> y",
            "!" * 9999,
        ),
        *(".inf", ".nan", "0x" + "f" * 9000, "0b2", "1e999", "2001-01-01", "0o9", "\t", "\x07"),
        *(
            "%YAML 9.9\n---\n",
            "---\n---\n",
            "...\n",
            "\ufeff",
            '"\\UFFFFFFFF"',
            '"\\ud800"',
            "|9\n x",
        ),
    ),
    "state": (
        *("[" * 5000, '{"a":' * 5000, "9" * 100_000, "1e999", "NaN", "-Infinity", "//", "\0"),
        *('"\\ud800"', "\ufeff", '"version": 1, "version": 2', "\\", "0" * 99, '"' * 9999),
    ),
}
TEXTS["preset"] = TEXTS["config"]
BILLION_LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
"""YAML aliases that expand exponentially."""


@dataclass
class Files:
    """Results for the files of one kind."""

    kind: str
    count: int = 0
    valid: int = 0
    slowest_s: float = 0.0
    """[s] CPU time of the slowest file."""
    longest_message: int = 0
    grown_kb: int = 0
    """[kB] Growth of the process's peak memory over all files."""


def _load(kind: str, path: Path) -> str:
    """Return the message of the expected error, empty if there is none; others propagate."""
    try:
        loaded = _READERS[kind](path)
    except (ConfigError, DamagedFileError) as error:
        return str(error)
    assert isinstance(loaded, config.Config | session.Session | Preset)
    return ""


def _load_preset(path: Path) -> Preset:
    return parse(read_kept(path, MAX_BYTES), "no name", path)


_READERS: dict[str, Callable[[Path], object]] = {
    "config": lambda path: config.load(path, {}),
    "state": session.load,
    "preset": _load_preset,
}


def _check_rewritten(kind: str, path: Path) -> None:
    """Check that a session or a preset is the same after it was written and read again."""
    if kind == "state":
        loaded = session.load(path)
        assert loaded is not None
        assert session.parse(session.to_text(loaded)) == loaded
    elif kind == "preset":
        # By its text: an unknown value may be no number, which is not equal to itself.
        text = to_text(_load_preset(path))
        assert to_text(parse(text, "no name")) == text


def hostile(kind: str) -> Iterator[tuple[bytes, int]]:
    """Yield (piece, times) of expensive files, which have the largest size allowed or more."""
    room = MOST_BYTES[kind]
    yield BILLION_LAUGHS.encode(), 1
    yield b"9" * 1_000_000, 100
    for text in (
        "[",
        "{",
        "1,",
        "[1,",
        '"a":',
        '{"a":',
        "- ",
        "? ",
        "a: 1\n",
        "1:",
        "\n",
        "#",
        '"',
    ):
        yield (text * (room // len(text))).encode(), 1
    yield ("[" + "1," * (room // 2 - 2) + "1]").encode(), 1
    yield ("{" + ",".join(f'"k{at}": 1' for at in range(room // 16)) + "}").encode()[:room], 1
    yield b"\xff\xfe" + bytes(room - 2), 1


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _places(entry, (*path, key))


def mutated(kind: str, seed: str) -> Iterator[bytes]:
    """Yield an infinite series of damaged files: values replaced, keys renamed, bytes changed."""
    rng = random.Random(seed + kind)
    template = TEMPLATES[kind]
    is_yaml = kind != "state"
    tree = yaml.safe_load(template) if is_yaml else json.loads(template)
    places = [place for place in _places(tree) if place]
    texts = TEXTS[kind]
    while True:
        changed = copy.deepcopy(tree)
        for _ in range(rng.choice((0, 0, 1, 1, 2, 4))):
            _change(changed, rng.choice(places), rng)
        if is_yaml and changed == tree:
            text = template
        elif is_yaml and rng.random() < 0.5:
            text = yaml.safe_dump(changed, allow_unicode=True)
        else:
            text = json.dumps(changed)  # also valid YAML
        data = text.encode("utf-8", "surrogatepass")
        for _ in range(rng.choice((0, 0, 1, 1, 2))):
            at = rng.randrange(len(data) + 1)
            piece = rng.choice((rng.choice(texts).encode(errors="ignore"), rng.randbytes(1), b""))
            data = data[:at] + piece + data[at + rng.choice((0, 0, 1, 1, 9, 9999)) :]
        yield data


def _change(tree: Any, place: tuple[Any, ...], rng: random.Random) -> None:
    parent = tree
    try:
        for step in place[:-1]:
            parent = parent[step]
        kind = rng.randrange(4)
        if kind == 0:
            del parent[place[-1]]
        elif kind == 1 and isinstance(parent, dict):
            parent[rng.choice(("x", "", "audi", "a" * 9999, "\n", "1"))] = parent.pop(place[-1])
        else:
            parent[place[-1]] = copy.deepcopy(rng.choice(JUNK))
    except (KeyError, IndexError, TypeError):
        return  # an earlier change removed this place


def _largest_kb() -> int:
    # Not ru_maxrss, which a child inherits from its larger parent.
    found = re.search(r"VmHWM:\s*(\d+)", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1])


def _read_all(kind: str, count: int, seed: str, folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    # Warnings about skipped keys go to standard output, which carries the results.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    path = folder / f"{kind}.yaml"
    result = Files(kind)
    more = mutated(kind, seed)
    before = _largest_kb()
    for data, times in chain(hostile(kind), ((next(more), 1) for _ in range(count))):
        with path.open("wb") as file:
            for _ in range(times):
                file.write(data)
        begin = time.thread_time()
        try:
            message = _load(kind, path)
            spent = time.thread_time() - begin
            if not message:
                _check_rewritten(kind, path)
        except BaseException:
            print(f"{kind}: {data[:300]!r} ({len(data)} bytes)", file=sys.stderr)  # noqa: T201
            raise
        result.count += 1
        result.valid += not message
        result.slowest_s = max(result.slowest_s, spent)
        result.longest_message = max(result.longest_message, len(message))
        if result.count % STEP == 0:
            print(".", flush=True)  # noqa: T201
    result.grown_kb = _largest_kb() - before
    print(json.dumps(asdict(result)), flush=True)  # noqa: T201


def read_files(
    kind: str, count: int, folder: Path, seed: str = "nemod", progress: Callable[[int], object] = id
) -> Files:
    """Read the hostile and `count` mutated files of a kind: `config`, `state` or `preset`.

    Raises: AssertionError with the output of the process, where a file made it fail.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fuzz.files", kind, str(count), seed, str(folder)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        last = ""
        for last in process.stdout:
            if last == ".\n":
                progress(STEP)
        errors = process.stderr.read()
    assert process.returncode == 0, errors
    return Files(**json.loads(last))


if __name__ == "__main__":
    _read_all(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
