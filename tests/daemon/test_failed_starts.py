"""A session whose starts fail is put aside, and nothing of it is lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from nemod.daemon.failed_starts import LIMIT, SUFFIX, count_start, session_to_start_with
from nemod.daemon.session import Session, SessionPreset, load, save
from tests.chains import chain_of

LAST = Session(
    chain=chain_of("amp"),
    positions={"gain": 0.9},
    preset=SessionPreset(number=3, name="Lead"),
    unknown={"later": 1},
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A state file."""
    path = tmp_path / "state.json"
    save(path, LAST)
    return path


def start(file: Path) -> Session:
    """Start as the daemon does, and end without a word; return what was started with."""
    session = load(file)
    assert session is not None
    session = session_to_start_with(file, session)
    return replace(session, failed_starts=count_start(file, session))


def test_three_failed_starts_then_a_clean_one(file: Path) -> None:
    """The count is on the disk before anything is played."""
    for count in range(1, LIMIT + 1):
        assert start(file) == replace(LAST, failed_starts=count)
        assert load(file) == replace(LAST, failed_starts=count)
    clean = start(file)
    assert (clean.chain, clean.positions, clean.preset) == (chain_of(), {}, None)
    assert clean.is_clean
    assert clean.unknown == {"later": 1}


def test_the_last_session_is_kept_beside_the_file(file: Path) -> None:
    """Complete, so that it can be put back."""
    for _ in range(LIMIT + 1):
        start(file)
    assert load(file.with_name(file.name + SUFFIX)) == replace(LAST, failed_starts=LIMIT)


def test_a_session_with_only_a_cabinet_is_kept_too(file: Path) -> None:
    """It is all that was chosen, and may be the cause."""
    paths = {"cab": "/cabs/4x12.wav"}
    only = Session(chain=chain_of(cab="4x12"), paths=paths, failed_starts=LIMIT)
    save(file, only)
    assert start(file).chain == chain_of()
    assert load(file.with_name(file.name + SUFFIX)) == only


def test_a_clean_start_counts_too(file: Path) -> None:
    """The session after it is a normal one."""
    for _ in range(LIMIT + 1):
        start(file)
    again = start(file)
    assert again.failed_starts == 2


def test_the_copy_is_not_replaced_by_an_empty_session(file: Path) -> None:
    """However often it is started: what was there can be put back."""
    for _ in range(4 * LIMIT):
        start(file)
    assert load(file.with_name(file.name + SUFFIX)) == replace(LAST, failed_starts=LIMIT)


def test_a_start_that_went_well_begins_the_count_again(file: Path) -> None:
    """Only starts in a row count."""
    for _ in range(LIMIT):
        start(file)
    save(file, LAST)
    assert start(file).failed_starts == 1


def test_a_folder_that_cannot_be_written_does_not_keep_it_from_starting(tmp_path: Path) -> None:
    """The session is restored all the same."""
    nowhere = tmp_path / "file" / "state.json"
    (tmp_path / "file").write_text("not a folder")
    assert session_to_start_with(nowhere, LAST).chain == chain_of("amp")
    assert count_start(nowhere, LAST) == 1
