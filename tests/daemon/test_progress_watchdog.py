"""How long a working process is waited for."""

from nemod.common.procinfo import ProcessInfo
from nemod.daemon.progress_watchdog import IDLE_S, STOPPED_S, TOTAL_S, ProgressWatchdog


class Fake:
    """A process and a clock."""

    def __init__(self) -> None:
        self.now = 100.0
        self.process: ProcessInfo | None = ProcessInfo("R", 1, 0.0)

    def watchdog(self) -> ProgressWatchdog:
        return ProgressWatchdog(7, look=lambda pid: self.process, clock=lambda: self.now)


def test_work_is_waited_for() -> None:
    """A process that uses the processor may take minutes, but not for ever."""
    fake = Fake()
    watchdog = fake.watchdog()
    while fake.now < 100.0 + TOTAL_S - 1.0:
        fake.now += 5.0
        fake.process = ProcessInfo("R", 1, fake.now)
        assert watchdog.problem() == "" or fake.now >= 100.0 + TOTAL_S
    fake.now = 101.0 + TOTAL_S
    assert "no answer" in watchdog.problem()


def test_a_stopped_process_is_given_up() -> None:
    """After a moment, because it may be continued; then the time counts anew."""
    fake = Fake()
    watchdog = fake.watchdog()
    fake.process = ProcessInfo("T", 1, 0.0)
    fake.now += STOPPED_S - 0.1
    assert watchdog.problem() == ""
    fake.process = ProcessInfo("R", 1, 0.1)
    assert watchdog.problem() == ""
    fake.process = ProcessInfo("T", 1, 0.1)
    fake.now += STOPPED_S
    assert "stopped by a signal" in watchdog.problem()


def test_a_process_that_uses_no_processor_time_is_given_up() -> None:
    """It sleeps, and its processor time stands still."""
    fake = Fake()
    watchdog = fake.watchdog()
    fake.process = ProcessInfo("S", 1, 3.0)
    assert watchdog.problem() == ""
    fake.now += IDLE_S - 1.0
    assert watchdog.problem() == ""
    fake.now += 1.0
    assert "used no processor time" in watchdog.problem()


def test_a_process_that_cannot_be_seen_is_given_the_whole_time() -> None:
    """Where /proc is hidden nothing but the total counts."""
    fake = Fake()
    fake.process = None
    watchdog = fake.watchdog()
    fake.now += TOTAL_S - 1.0
    assert watchdog.problem() == ""
