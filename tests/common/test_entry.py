"""The guard around a program: interrupts, closed streams and errors never end in a traceback.

The programs are interrupted at 6 random moments; NEMOD_INTERRUPTS=200 makes it 200.
"""

import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
MOMENTS = int(os.environ.get("NEMOD_INTERRUPTS", "6"))
DAEMON = ("--device", "null", "--local", "--port", "0", "--no-state", "--no-standby")
START = (
    "import os, sys; from {package}.__main__ import main; os.write({fd}, b'x'); sys.exit(main())"
)


class Outcome(NamedTuple):
    status: int
    out: str
    err: str


def environment(**changes: str | None) -> dict[str, str]:
    """Return the environment of a program; None removes a variable."""
    merged: dict[str, str | None] = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": None,
        **changes,
    }
    return {name: value for name, value in merged.items() if value is not None}


@contextmanager
def inherited(handler: signal.Handlers | Callable[..., object]) -> Iterator[None]:
    """Let programs that are started inside get SIGINT as it is by default, or ignored.

    A background job of a shell ignores it, and so would its children. Not by `preexec_fn`: that
    forks, which a process with jax must not do.
    """
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def interrupt(
    package: str, arguments: Sequence[str], after_s: float, number: signal.Signals = signal.SIGINT
) -> Outcome:
    """Send a signal to a program, some time after its entry module was imported."""
    read_fd, write_fd = os.pipe()
    with inherited(signal.default_int_handler):
        program = subprocess.Popen(
            [sys.executable, "-c", START.format(package=package, fd=write_fd), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[write_fd],
            env=environment(),
            text=True,
        )
    os.close(write_fd)
    os.read(read_fd, 1)
    os.close(read_fd)
    time.sleep(after_s)
    program.send_signal(number)
    try:
        out, err = program.communicate(timeout=60)
    finally:
        program.kill()
    return Outcome(program.returncode, out, err)


def commands(folder: Path) -> list[tuple[str, list[str], float]]:
    """Return packages, arguments, and the time [s] within which each is interrupted."""
    amp, riff = str(ROOT / "models" / "clipper-lstm16.json"), str(folder / "input.wav")
    return [
        ("nemod", [*DAEMON, "--seconds", "1"], 6.0),
        ("nemod", ["models", "--json"], 1.5),
        ("nemod", ["render", riff, str(folder / "out.wav"), "--model", amp], 4.0),
        ("nemod", ["check", amp], 5.0),
        ("trainer", ["check", str(folder)], 2.0),
    ]


@pytest.mark.slow
def test_an_interrupt_at_any_moment_leaves_no_traceback(tmp_path: Path) -> None:
    """During imports, at work and at the exit; the status is 130, or 0 if it was too late."""
    rng = random.Random(11)
    for name in ("input", "output"):
        soundfile.write(tmp_path / f"{name}.wav", np.zeros(48_000, np.float32), 48_000)
    listed = commands(tmp_path)
    for number in range(MOMENTS):
        package, arguments, limit_s = listed[number % len(listed)]
        after_s = limit_s * rng.random()
        outcome = interrupt(package, arguments, after_s)
        told = f"{package} {arguments} after {after_s:.4f} s: {outcome}"
        assert "Traceback" not in outcome.err, told
        # Silence is nothing to learn from, which is status 1.
        assert outcome.status in ((0, 130) if package == "nemod" else (1, 130)), told
    assert not [path.name for path in tmp_path.iterdir() if path.suffix == ".tmp"]


def test_sigterm_ends_a_program_by_sigterm() -> None:
    """After its cleanup, and with what it printed."""
    outcome = run("sys.stdout.write('x'); os.kill(os.getpid(), signal.SIGTERM); time.sleep(9)")
    assert outcome == (-signal.SIGTERM, "x", "")


# --- programs made for the test ------------------------------------------------------------------

PROGRAM = """
from nemod.common import entry
import os, signal, sys, time
def body():
    {body}
    return 0
def load():
    {load}
    return body
sys.exit(entry.run("program", load))
"""


def run(
    body: str, load: str = "pass", *, env: dict[str, str] | None = None, shell: str = ""
) -> Outcome:
    """Run a guarded program; `shell` is appended to its command line."""
    program = shlex.join([sys.executable, "-c", PROGRAM.format(body=body, load=load)])
    done = subprocess.run(
        ["bash", "-c", f"{program} {shell}"],
        capture_output=True,
        text=True,
        errors="replace",
        env=environment(**(env or {})),
        timeout=60,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


INTERRUPT = "os.kill(os.getpid(), signal.SIGINT)"


@pytest.mark.parametrize(
    ("body", "load", "out"),
    [
        (INTERRUPT, "pass", ""),
        ("pass", f"{INTERRUPT}; time.sleep(9)", ""),
        (f"import atexit; atexit.register(lambda: {INTERRUPT})", "pass", ""),
        # In a destructor, where Python drops exceptions.
        (f"T = type('T', (), {{'__del__': lambda self: {INTERRUPT}}}); T(); time.sleep(9)", "", ""),
        # Twice, as by an impatient user: the second while the first is handled.
        (
            f"\n    try: {INTERRUPT}"
            f"\n    except KeyboardInterrupt: print('x', flush=True); {INTERRUPT}",
            "",
            "x\n",
        ),
    ],
)
def test_an_interrupt_ends_a_program_with_130(body: str, load: str, out: str) -> None:
    """Nothing is printed about it."""
    assert run(body, load or "pass") == (130, out, "")


def test_a_handled_interrupt_ends_with_the_status_of_the_program() -> None:
    """Without the interpreter's shutdown, which crashes some libraries with threads."""
    body = (
        "import atexit; atexit.register(print, 'shutdown')"
        f"\n    try: {INTERRUPT}; time.sleep(9)"
        "\n    except KeyboardInterrupt: print('saved'); return 130"
    )
    assert run(body) == (130, "saved\n", "")


def test_an_import_is_finished_before_it_is_interrupted(tmp_path: Path) -> None:
    """Extension modules crash when an exception interrupts their initialisation."""
    (tmp_path / "slow.py").write_text(
        "import os, signal, time\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "time.sleep(0.1)\n"
        "print('imported', flush=True)\n"
    )
    body = f"sys.path.append({str(tmp_path)!r}); import slow; time.sleep(9)"
    assert run(body) == (130, "imported\n", "")


def test_an_interrupt_that_is_ignored_stays_ignored() -> None:
    """As in a background job of a shell script."""
    body = f"{INTERRUPT}; print('done')"
    with inherited(signal.SIG_IGN):
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM.format(body=body, load="pass")],
            capture_output=True,
            text=True,
            env=environment(),
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_closed_streams_are_replaced() -> None:
    """Printing, asking for a terminal and reading do no harm; a new file gets no number below 3."""
    body = (
        "print('x'); sys.stderr.isatty(); sys.stdout.isatty(); assert sys.stdin.read() == ''; "
        "assert open(os.devnull).fileno() > 2; import subprocess; "
        "subprocess.run(['sh', '-c', 'echo x; echo x >&2'], check=True)"
    )
    for shell in ("<&- >&- 2>&-", "<&-", "</dev/null >&-", "</dev/null 2>&-"):
        outcome = run(body, shell=shell)
        assert outcome.status == 0
        assert outcome.err in ("", "x\n")


def test_a_reader_that_has_gone_is_not_an_error_message() -> None:
    """Neither at a write nor at the last flush."""
    for body in ("time.sleep(0.2); print('x')", "time.sleep(0.2); print('x', flush=True)"):
        assert run(body, shell="| true; exit ${PIPESTATUS[0]}") == (1, "", "")


def test_a_full_disk_for_standard_output_is_reported() -> None:
    """When the last line is flushed, at the latest; standard error may be full as well."""
    assert run("print('x')", shell="> /dev/full") == (
        1,
        "",
        "program: standard output: No space left on device\n",
    )
    assert run("print('x')", shell="> /dev/full 2> /dev/full").status == 1


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_text_can_be_printed(encoding: str) -> None:
    """Whatever the terminal's encoding is, and whatever is in a file's name."""
    outcome = run("print('Gürtel \\u2588 \\udcff')", env={"PYTHONIOENCODING": encoding})
    assert outcome.status == 0
    assert outcome.out.startswith("G")


def test_errors_are_one_line() -> None:
    """Those for the user, those of the system, and those that nobody expected."""
    assert run("open('/nowhere/x')").err == "program: /nowhere/x: No such file or directory\n"
    assert run("raise MemoryError").err == "program: out of memory\n"
    outcome = run("{}['key']")
    assert outcome.status == 1
    assert outcome.err.startswith("program: internal error: KeyError: 'key' (<string>:")
    assert outcome.err.count("\n") == 1
    outcome = run("{}['key']", env={"NEMOD_DEBUG": "1"})
    assert outcome.err.startswith("Traceback")
    error = "from nemod.common.errors import ConfigError; raise ConfigError('a', ['b', 'c'])"
    assert run(error) == (2, "", "program: a: b\na: c\n")
    thread = (
        "import threading; t = threading.Thread(target=open, args=('/no',)); t.start(); t.join()"
    )
    assert run(thread) == (
        0,
        "",
        "program: thread 'Thread-1 (open)': /no: No such file or directory\n",
    )
    assert run("sys.exit('text')") == (1, "", "text\n")
    assert run("sys.exit(7)").status == 7


# --- nemod in an unfriendly environment ----------------------------------------------------------


def nemod(*arguments: str, env: dict[str, str | None]) -> Outcome:
    """Run nemod."""
    done = subprocess.run(
        [sys.executable, "-m", "nemod", *arguments],
        capture_output=True,
        text=True,
        env=environment(**env),
        timeout=120,
    )
    return Outcome(done.returncode, done.stdout, done.stderr)


NO_FOLDERS: dict[str, str | None] = dict.fromkeys(
    ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME")
)


def homes(folder: Path) -> list[dict[str, str | None]]:
    """Return environments: no home, one that is a file, one that cannot be written, odd folders."""
    (folder / "file").write_text("")
    for name in (".config", ".cache", ".local/state", ".local/share"):
        (folder / "odd" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "odd" / name).write_text("")
    listed: list[str | None] = [None, "", str(folder / "file"), "/proc", str(folder / "odd")]
    return [{**NO_FOLDERS, "HOME": home} for home in listed]


def test_the_models_are_listed_whatever_the_home(tmp_path: Path) -> None:
    """The shipped ones; what does not work is said in a line."""
    for env in homes(tmp_path):
        outcome = nemod("models", "--json", env=env)
        assert outcome.status == 0
        assert '"name": "clipper-lstm16"' in outcome.out
        assert "Traceback" not in outcome.err


@pytest.mark.slow
def test_the_daemon_plays_whatever_the_home(tmp_path: Path) -> None:
    """It keeps no state there, and says so."""
    for env in homes(tmp_path)[3:]:
        options = [option for option in DAEMON if option != "--no-state"]
        outcome = nemod(*options, "--seconds", "0.3", env=env)
        assert outcome.status == 0
        assert "playing" in outcome.err
        assert "Traceback" not in outcome.err
