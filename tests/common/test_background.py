"""Background jobs: their result or their exception always arrives."""

import asyncio
import threading
import time

import pytest

from nemod.common.background import in_background


def run(work: object) -> object:
    """Return the result of a job."""

    async def wait() -> object:
        return await asyncio.wait_for(in_background(work), 10.0)  # type: ignore[arg-type]

    return asyncio.run(wait())


def test_the_result_arrives() -> None:
    """It is computed on another thread."""
    assert run(threading.get_ident) != threading.get_ident()


@pytest.mark.parametrize(
    ("raised", "arrives"),
    [
        (OSError("disk"), OSError),
        (ValueError("x"), ValueError),
        (SystemExit(1), RuntimeError),
        (KeyboardInterrupt(), RuntimeError),
        (StopIteration(), RuntimeError),
    ],
)
def test_every_exception_arrives(
    raised: BaseException, arrives: type[Exception], capfd: pytest.CaptureFixture[str]
) -> None:
    """Those that would end a thread silently as well; no thread prints a traceback."""

    def work() -> None:
        raise raised

    with pytest.raises(arrives):
        run(work)
    assert capfd.readouterr().err == ""


def test_a_thread_that_cannot_start_is_an_exception_of_the_job(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit of threads is reached."""

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        run(time.time)


def test_a_job_that_hangs_does_not_delay_the_end_of_the_loop() -> None:
    """What it returns later goes nowhere."""
    release = threading.Event()

    async def leave() -> None:
        in_background(lambda: release.wait(10.0))
        await asyncio.sleep(0)

    begin = time.monotonic()
    asyncio.run(leave())
    assert time.monotonic() - begin < 5.0
    release.set()
