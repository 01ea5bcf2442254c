"""Reading files in processes that may crash, hang or fail to start."""

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from nemod.library.entry import Facts, LibraryError
from nemod.library.pool import read_files

# A reader with the real one's protocol, which fails for certain paths.
FAULTY = """
import json, os, sys, time
print('"ready"', flush=True)
for line in sys.stdin:
    path = json.loads(line)
    if "crash" in path:
        os.kill(os.getpid(), 9)
    if "hang" in path:
        time.sleep(600)
    print(json.dumps(json.loads(sys.argv[1]) | {"architecture": path}), flush=True)
"""
COMMAND = [sys.executable, "-c", FAULTY, json.dumps(asdict(Facts()))]


def read(names: list[str], workers: int, limit_s: float = 30.0) -> dict[str, Facts]:
    """Return facts by name, from faulty readers."""
    paths = [Path(name) for name in names]
    results = read_files(paths, workers=workers, limit_s=limit_s, command=COMMAND)
    return {str(path): facts for path, facts in results}


@pytest.mark.parametrize("workers", [1, 3])
def test_each_file_gets_its_own_facts(workers: int) -> None:
    """Whatever the number of readers."""
    names = [f"model {number}\u00fc" for number in range(20)]
    facts = read(names, workers)
    assert {name: facts[name].architecture for name in facts} == {name: name for name in names}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_crash_costs_one_file(workers: int) -> None:
    """The file is marked, and the others are read by another process."""
    facts = read(["a", "crash 1", "b", "crash 2", "c"], workers)
    crash = "reading it ended the reader (status -9)"
    assert {name: facts[name].error for name in facts} == {
        "a": "",
        "b": "",
        "c": "",
        "crash 1": crash,
        "crash 2": crash,
    }


def test_a_file_that_never_ends_is_given_up() -> None:
    """Its reader is ended at the limit."""
    facts = read(["hang", "a", "b"], 1, limit_s=0.5)
    assert facts["hang"].error == "took longer than 0.5 s to read"
    assert [facts["a"].architecture, facts["b"].architecture] == ["a", "b"]


def test_a_slow_caller_makes_no_file_late() -> None:
    """An answer that waits to be received is in time."""
    results = read_files(map(Path, "abcd"), workers=2, limit_s=0.4, command=COMMAND)
    errors = []
    for _, facts in results:
        errors.append(facts.error)
        time.sleep(0.5)
    assert errors == ["", "", "", ""]


def test_reading_stops_when_the_time_is_up() -> None:
    """Files that are not read by then get no error."""
    until = time.monotonic() + 1.0
    paths = [Path("a"), Path("hang"), Path("b")]
    results = list(read_files(paths, workers=1, limit_s=60.0, until=until, command=COMMAND))
    assert [str(path) for path, _ in results] == ["a"]


def test_readers_that_do_not_start_are_an_error() -> None:
    """After one attempt."""
    with pytest.raises(LibraryError, match="ended with status 3 at once"):
        list(
            read_files(
                [Path("a")], workers=2, limit_s=9.0, command=[sys.executable, "-c", "exit(3)"]
            )
        )
    with pytest.raises(LibraryError, match="no reader can be started"):
        list(read_files([Path("a")], workers=2, limit_s=9.0, command=["/nothing/here"]))


def test_no_files_need_no_reader() -> None:
    """No process is started."""
    assert read([], 2) == {}
