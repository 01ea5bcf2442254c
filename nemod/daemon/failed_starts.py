"""Starts with a clean rig after several starts in a row that failed.

A sound that ends the daemon would do so again at every start, and a service is started again and
again. The count is in the state file: raised before anything is played, and zero again once the
daemon has played for a while or was ended in order.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import structlog

from nemod.daemon.session import Session, save

LIMIT = 3
"""After this many failed starts in a row the next one is clean."""
STABLE_S = 20.0
"""[s] A daemon that has played for so long did not fail to start."""
SUFFIX = ".before-clean-start"
"""What is added to the name of the copy of the state file."""

log = structlog.get_logger("nemod")


def count_start(file: Path, session: Session) -> Session:
    """Return the session to start with, after counting this start in the state file.

    After `LIMIT` failed starts that is an empty one; a copy of the state file is kept beside it.
    """
    if session.failed_starts < LIMIT:
        session = replace(session, failed_starts=session.failed_starts + 1)
    else:
        kept = file.with_name(file.name + SUFFIX)
        preset = session.preset.name if session.preset is not None else ""
        try:
            shutil.copyfile(file, kept)
        except OSError as error:
            log.warning("state file not copied", file=str(kept), reason=error.strerror)
        log.error(
            f"the last {session.failed_starts} starts failed: starting clean, without a model",
            model=session.model or None,
            preset=preset or None,
            last_session=str(kept),
        )
        session = Session(
            unknown=session.unknown,
            unknown_positions=session.unknown_positions,
            failed_starts=1,
            is_clean_start=True,
        )
    try:
        save(file, session)
    except OSError as error:
        log.warning("state file not written", file=str(file), reason=error.strerror or str(error))
    return session
