"""How long a working process is waited for."""

from nemod.common.procinfo import ProcessInfo
from nemod.daemon.progress_watchdog import IDLE_S, STOPPED_S, TOTAL_S, ProgressWatchdog


class Fake:
    """A process and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.process_info: ProcessInfo | None = ProcessInfo("R", 1, 0.0)

    def patience(self) -> ProgressWatchdog:
        return ProgressWatchdog(7, look=lambda pid: self.process_info, clock=lambda: self.now)


def test_work_is_waited_for() -> None:
    """A process that uses the processor may take minutes, but not for ever."""
    fake = Fake()
    patience = fake.patience()
    while fake.now < 100.0 + TOTAL_S - 1.0:
        fake.now += 5.0
        fake.process_info = ProcessInfo("R", 1, fake.now)
        assert patience.lost() == "" or fake.now >= 100.0 + TOTAL_S
    fake.now = 101.0 + TOTAL_S
    assert "no answer" in patience.lost()


def test_a_stopped_process_is_given_up() -> None:
    """After a moment, for somebody may let it go on; one that goes on is forgiven."""
    fake = Fake()
    patience = fake.patience()
    fake.process_info = ProcessInfo("T", 1, 0.0)
    fake.now += STOPPED_S - 0.1
    assert patience.lost() == ""
    fake.process_info = ProcessInfo("R", 1, 0.1)
    assert patience.lost() == ""
    fake.process_info = ProcessInfo("T", 1, 0.1)
    fake.now += STOPPED_S
    assert "stopped by a signal" in patience.lost()


def test_a_process_that_does_nothing_is_given_up() -> None:
    """It sleeps, and its processor time stands still."""
    fake = Fake()
    patience = fake.patience()
    fake.process_info = ProcessInfo("S", 1, 3.0)
    assert patience.lost() == ""
    fake.now += IDLE_S - 1.0
    assert patience.lost() == ""
    fake.now += 1.0
    assert "done nothing" in patience.lost()


def test_a_process_that_cannot_be_seen_is_given_the_whole_time() -> None:
    """Where /proc is hidden nothing but the total counts."""
    fake = Fake()
    fake.process_info = None
    patience = fake.patience()
    fake.now += TOTAL_S - 1.0
    assert patience.lost() == ""
