"""Starts with a clean rig after several starts in a row that failed.

A sound that ends the daemon would do so again at every start, and a service is started again and
again. The count is in the state file: raised when the daemon begins to play, and zero again once it
has played for a while or has ended in order, be it with an error.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import structlog

from nemod.daemon.session import Session, save

LIMIT = 3
"""After this many failed starts in a row the next one is clean."""
STABLE_S = 5.0
"""[s] A daemon that has played for so long did not fail to start: short, because a pedalboard may
be switched off at any time."""
SUFFIX = ".before-clean-start"
"""What is added to the name of the copy of the state file."""

log = structlog.get_logger("nemod")


def session_to_start_with(file: Path, session: Session) -> Session:
    """Return the session, or after `LIMIT` failed starts an empty one.

    A copy of the state file is then kept beside it, as long as there is anything in it.
    """
    if session.failed_starts < LIMIT:
        return session
    kept = file.with_name(file.name + SUFFIX)
    files = {slot: name for slot, name in session.chain.files.items() if name}
    has_chain = session.chain != Session().chain
    if has_chain or session.positions or session.preset:
        try:
            shutil.copyfile(file, kept)
        except OSError as error:
            log.warning("state file not copied", file=str(kept), reason=error.strerror)
    log.error(
        f"the last {session.failed_starts} starts failed: starting clean, without a model",
        files=files or None,
        preset=session.preset.name if session.preset is not None else None,
        last_session=str(kept),
    )
    return Session(
        is_clean=True,
        unknown=session.unknown,
        unknown_positions=session.unknown_positions,
    )


def count_start(file: Path, session: Session) -> int:
    """Count in the state file that this session begins to play; return the count.

    Thread: any; writes to the disk.
    """
    count = session.failed_starts + 1
    try:
        save(file, replace(session, failed_starts=count))
    except OSError as error:
        log.warning("state file not written", file=str(file), reason=error.strerror or str(error))
    return count
