"""What every test relies on: strict jax, a home of its own, and the parts of the system."""

import ctypes.util
import os
import shutil
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import jax
import pytest
import structlog

from nemod.common import xla
from tests.parts import avahi

xla.prepare()  # before jax compiles for the first time

jax.config.update("jax_numpy_dtype_promotion", "strict")  # type: ignore[no-untyped-call]
jax.config.update("jax_numpy_rank_promotion", "raise")  # type: ignore[no-untyped-call]

ROOT = Path(__file__).resolve().parent.parent
SYSTEM = ROOT / "tests" / "system"
_SLOW = (
    *("golden", "fx", "builder", "engine", "tuner", "trainer"),
    *("fuzz", "packaging", "network", "web", "osc/tcp", "osc/query", "cli/bench", "docs"),
)
SLOW = {ROOT / "tests" / name for name in _SLOW}
"""Folders whose tests take minutes, with other libraries than Python's own."""
SHARED = (Path(os.environ.get("NEMOD_SHARED", ROOT.parent / "shared")) / "data").resolve()

PARTS: dict[str, tuple[Callable[[], object], str]] = {
    "jack": (
        lambda: shutil.which("jackd") and ctypes.util.find_library("jack"),
        "jackd is missing (Debian: jackd2)",
    ),
    "portaudio": (
        lambda: ctypes.util.find_library("portaudio"),
        "PortAudio is missing (Debian: libportaudio2)",
    ),
    "alsa": (
        lambda: ctypes.util.find_library("asound"),
        "ALSA's library is missing (Debian: libasound2)",
    ),
    "ngspice": (lambda: shutil.which("ngspice"), "ngspice is missing (Debian: ngspice)"),
    "avahi": (
        avahi.is_available,
        "avahi-daemon, avahi-browse or dbus-daemon is missing, or this is not root "
        "(Debian: avahi-daemon avahi-utils dbus iproute2)",
    ),
    "browser": (
        lambda: shutil.which("chromium") and find_spec("playwright"),
        "chromium (Debian: chromium) or playwright is missing",
    ),
    "liblo": (lambda: shutil.which("oscsend"), "oscsend is missing (Debian: liblo-tools)"),
}
SOUND_PARTS = ("jack", "portaudio")
"""What runs in real time, so that nothing may run beside it."""


def lacks(reason: str) -> None:
    """Skip for want of a part; where all parts are promised, fail."""
    if os.environ.get("NEMOD_REQUIRE_PARTS"):
        pytest.fail(f"{reason}, although NEMOD_REQUIRE_PARTS is set")
    pytest.skip(reason)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what ./test --quick leaves out, where a folder or a part says so for all its tests."""
    if not os.environ.get("NEMOD_LONG"):
        long = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in set(long)]
    for item in items:
        is_daemon = "start" in getattr(item, "fixturenames", ())
        has_sound = any(map(item.get_closest_marker, SOUND_PARTS))
        if is_daemon or SYSTEM in item.path.parents or has_sound:
            item.add_marker(pytest.mark.server)
        has_part = any(map(item.get_closest_marker, PARTS))
        if has_part or not SLOW.isdisjoint(item.path.parents):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """Undo what a test configured, or captured logs would depend on the order of the tests."""
    yield
    structlog.reset_defaults()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs a part of the system that is not there, by the part's name."""
    for marker, (found, reason) in PARTS.items():
        if item.get_closest_marker(marker) and not found():
            lacks(reason)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of recordings, released models and reference outputs; the test skips without it."""
    if not SHARED.is_dir():
        pytest.skip("the shared data (recordings, released models, reference outputs) is absent")
    return SHARED


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Compiled programs of the tests stay with the tests, and one compilation serves all.

    `NEMOD_TEST_CACHE` is a folder that several runs share.
    """
    shared = os.environ.get("NEMOD_TEST_CACHE")
    os.environ["NEMOD_CACHE"] = shared or str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads or writes the user's configuration, state or library."""
    home = tmp_path_factory.mktemp("home")
    for name in ("CONFIG", "STATE", "DATA"):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / name.lower()))
