"""A control core in memory, a server in a thread of its own, and python-osc as its client."""

import asyncio
import re
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from nemod.chain import read_chain
from nemod.common.errors import NotFoundError
from nemod.control.backends import CLEAN, RigChange, RigFiles, RigPlan, Scope, SlotFile, Status
from nemod.control.controller import Controller
from nemod.control.errors import Code, ControlError
from nemod.control.events import (
    NO_READING,
    CabinetChanged,
    ChainChanged,
    EventStream,
    Meters,
    ModelChanged,
    Source,
    TunerReading,
)
from nemod.control.jobs import Job
from nemod.control.settings import Settings
from nemod.osc.codec import Message, Packet
from nemod.osc.counters import Counters
from nemod.osc.dispatcher import Dispatcher
from nemod.osc.encode import string_size
from nemod.osc.sender import Sender
from nemod.osc.server import OscServer
from nemod.parameters.parameter_set import KnobSpec
from nemod.presets.preset import Preset, PresetEntry


class MemoryPresets:
    """Presets that are kept in memory."""

    def __init__(self) -> None:
        self.kept: dict[int, Preset] = {}
        self.error: Exception | None = None
        """Raised by every write."""

    def entries(self) -> list[PresetEntry]:
        return [PresetEntry(number, self.kept[number].name) for number in sorted(self.kept)]

    def get(self, number: int) -> Preset:
        return self.kept[number]

    def rescan(self) -> None:
        """Find nothing new."""

    def save(self, number: int, preset: Preset) -> None:
        if self.error is not None:
            raise self.error
        self.kept[number] = preset

    def delete(self, number: int) -> None:
        if self.error is not None:
            raise self.error
        del self.kept[number]


class MemoryLibrary:
    """A library in memory, of models or of cabinets, to which clients may add."""

    def __init__(self, names: Sequence[str], suffix: str) -> None:
        self.names = names
        self.hashes: dict[str, str] = {}
        """Hashes of files by name."""
        self.unplayable: dict[str, str] = {}
        self.added: dict[str, bytes] = {}
        """Files that clients have sent, by name."""
        self.add_error: Exception | None = None
        """Raised where a client sends a file."""
        self._suffix = suffix

    def add(self, name: str, content: bytes) -> str:
        if self.add_error is not None:
            raise self.add_error
        stem = name.rpartition(".")[0]
        self.added[stem] = content
        self.names = sorted({*self.names, stem})
        return stem

    def find(self, name: str) -> tuple[str, Path]:
        if name not in self.names:
            raise NotFoundError(name)
        return name, Path(f"{name}{self._suffix}")

    def problem(self, name: str) -> str:
        return self.unplayable.get(name, "")

    def problems(self) -> Mapping[str, str]:
        return self.unplayable

    def content_hash(self, name: str) -> str:
        return self.hashes.get(name, "")

    def find_by_hash(self, sha256: str) -> str:
        return next((name for name, known in self.hashes.items() if known == sha256), "")

    def rescan(self) -> None:
        """Find nothing new."""


class MemoryRig(MemoryLibrary):
    """A control core without sound: models load when the test says so."""

    def __init__(self) -> None:
        super().__init__(("Amp Clean", "Amp Lead", "fuzz", "Überdrive"), ".json")
        self.rig: RigFiles | None = RigFiles()
        self.quarantined: set[str] = set()
        self.info: dict[str, object] = {"architecture": "LSTM-20", "esr": 0.01}
        self.commits: list[dict[str, float]] = []
        self.tuned = NO_READING
        self.levels = Meters(-15.0, -90.0, 3)
        self.state = "running"
        self.late = 3
        self.reduced = ""
        self.is_slow = False
        self.loads: list[tuple[SlotFile, Job, RigChange]] = []
        """What waits to be loaded, except for cabinets alone."""
        self.ahead: list[str] = []
        """Models that were to be built ahead."""
        self.panics = 0
        self.presets = MemoryPresets()
        self.cabinets = MemoryLibrary(("1x12", "2x12 open", "4x12"), ".wav")
        self.cabinet_loads: list[tuple[SlotFile, Job, RigChange]] = []
        self.events = EventStream()
        self.settings = Settings(events=self.events)
        self.controller = Controller(
            self.settings,
            self.events,
            library=self,
            cabinets=self.cabinets,
            player=self,
            monitor=self,
            presets=self.presets,
            user_models=self,
            user_cabinets=self.cabinets,
        )
        self.model_name = "Amp Clean"

    def use_knobs(self, *names: str, slot: str = "model") -> None:
        """Be a rig with these knobs of a model."""
        self.settings.use_knobs({**self.knobs, slot: [KnobSpec(name) for name in names]})

    @property
    def knobs(self) -> dict[str, tuple[KnobSpec, ...]]:
        """The knobs of all models by slot."""
        return self.settings.parameters.knobs

    @property
    def playing(self) -> RigFiles:
        """What plays."""
        assert self.rig is not None
        return self.rig

    @property
    def model_name(self) -> str:
        """The first model."""
        return self.controller.models.name

    @model_name.setter
    def model_name(self, name: str) -> None:
        if not name:
            self.rig = None
            return
        slot = self.controller.models.slot
        assert slot is not None
        self.rig = (self.rig or RigFiles()).with_file(slot, SlotFile(name, Path(f"{name}.json")))

    @property
    def is_clean(self) -> bool:
        """Whether no model plays."""
        return self.model_name == CLEAN

    @property
    def cabinet_name(self) -> str:
        """The first cabinet."""
        return self.controller.cabinets.name

    @property
    def size(self) -> float | None:
        """That of the first model."""
        slot = self.playing.chain.first("model")
        return slot.size if slot is not None else None

    def use_chain(self, *slots: object) -> None:
        """Play a chain, as plain data, at once."""
        self.play(self.controller.chains.plan(read_chain(list(slots)), Source("test")))

    # The player

    def slot_info(self, slot: str) -> Mapping[str, object]:
        if self.playing.chain[slot].kind == "model":
            return self.info
        name = self.playing.file(slot).name
        return {"name": name} if name else {}

    def commit(self) -> None:
        self.commits.append(self.settings.positions())

    def load(
        self, changes: Iterable[RigChange], job: Job, *, scope: Scope, slot: str, noun: str
    ) -> None:
        change = next(iter(changes))
        loads = self.cabinet_loads if noun == "cabinet" else self.loads
        for _, superseded, _ in loads:
            superseded.fail(ControlError(Code.BUSY, "", "superseded"))
        loads[:] = [(SlotFile(change(self.rig or RigFiles()).subject), job, change)]
        if not self.is_slow:
            self._finish(loads)

    def finish_load(self) -> None:
        self._finish(self.loads)

    def finish_cabinet_load(self) -> None:
        self._finish(self.cabinet_loads)

    def _finish(self, loads: list[tuple[SlotFile, Job, RigChange]]) -> None:
        (_, job, change), *loads[:] = loads
        try:
            plan = change(self.rig or RigFiles())
        except ControlError as error:
            job.fail(error)
            return
        self.play(plan, job.source)
        job.finish(plan.subject)

    def play(self, plan: RigPlan, source: Source | None = None) -> None:
        """Play what was planned."""
        before, self.rig = self.rig or RigFiles(), plan.rig
        chain = plan.rig.chain
        source = source or plan.source
        if chain.without_files != before.chain.without_files:
            self.events.publish(ChainChanged(source, plan.renamed))
        knobs = {plan.renamed.get(slot, slot): specs for slot, specs in self.knobs.items()}
        self.settings.use_chain(chain, knobs, plan.renamed)
        if plan.sound is not None:
            self.settings.recall(plan.sound, plan.source)
        for path, position in plan.switched.items():
            self.settings.set(path, position, plan.source)
        self.commit()
        for slot in plan.rig.slots:
            was = before.file(slot).name if slot in before.chain else ""
            name = plan.rig.file(slot).name
            if slot in plan.fills or name != was:
                kind = ModelChanged if chain[slot].kind == "model" else CabinetChanged
                self.events.publish(kind(name, source, slot))

    def build_ahead(self, wanted: Sequence[RigPlan]) -> None:
        self.ahead = [plan.subject for plan in wanted]

    def panic(self) -> None:
        self.panics += 1

    # The monitor

    def status(self) -> Status:
        return Status(
            state=self.state,
            load=0.25,
            load_peak=0.5,
            xruns=2,
            late=self.late,
            latency_ms=4.5,
            rate=48000,
            block=64,
            model_rate=44100,
            rate_policy="mismatch",
            reduced=self.reduced,
            uptime=61,
        )

    def meters(self) -> Meters:
        return self.levels

    def tuner(self) -> TunerReading:
        return self.tuned

    def reset_meters(self) -> None:
        self.levels = Meters(self.levels.in_dbfs, self.levels.out_dbfs, 0)


def status_values(rig: MemoryRig) -> dict[str, object]:
    """Return what the leaves of /nemo/status answer, in order."""
    values: dict[str, object] = asdict(rig.status())
    uptime = values.pop("uptime")
    return values | {"bad_packets": 0, "uptime": uptime}


def read(packet: bytes) -> list[tuple[str, list[object]]]:
    """Return address and values of every message of an answer, by python-osc's parser."""
    if OscBundle.dgram_is_bundle(packet):
        return [entry for inner in OscBundle(packet) for entry in read(inner.dgram)]
    message = OscMessage(packet)
    return [(message.address, list(message.params))]


_SLOT_FORMS = re.compile(
    r"/nemo/(real/|text/)?(eq/(bass|mid|treble)|model/(gain|level|size|knob/.*))"
)


def without_slot_forms(
    messages: Iterable[tuple[str, list[object]]],
) -> list[tuple[str, list[object]]]:
    """Return messages but for those of controls by the name of their slot, such as `model/gain`.

    They are echoed as all other addresses of a control, and have tests of their own.
    """
    return [message for message in messages if not _SLOT_FORMS.fullmatch(message[0])]


def write(address: str, *arguments: tuple[str, object]) -> bytes:
    """Return a message built by python-osc from (type tag, value) pairs."""
    builder = OscMessageBuilder(address=address)
    for tag, value in arguments:
        builder.add_arg(value, tag)  # type: ignore[arg-type]
    return builder.build().dgram


class Client:
    """A UDP socket with python-osc around it."""

    def __init__(self, family: int, target: tuple[str, int]) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(5.0)
        self._target = target

    def send(self, address: str, *arguments: tuple[str, object]) -> None:
        self.send_bytes(write(address, *arguments))

    def send_bytes(self, packet: bytes) -> None:
        self.socket.sendto(packet, self._target)

    def packet(self) -> bytes:
        return self.socket.recv(65536)

    def until_synced(self, number: int = 1) -> list[tuple[str, list[object]]]:
        """Return everything that arrives before the answer to a sync sent now."""
        self.send("/nemo/sync", ("i", number))
        messages: list[tuple[str, list[object]]] = []
        while True:
            for message in read(self.packet()):
                if message == ("/nemo/synced", [number]):
                    return without_slot_forms(messages)
                messages.append(message)

    def ask(self, address: str, *arguments: tuple[str, object]) -> list[tuple[str, list[object]]]:
        """Send a message and return all that it is answered with."""
        self.send(address, *arguments)
        return self.until_synced()

    def value(self, address: str) -> object:
        """Return the one value that an address answers, beside what is sent without a question."""
        *_, (value,) = [values for found, values in self.ask(address) if found == address]
        return value

    def wait_for(self, address: str, *values: object) -> None:
        """Receive until this message has arrived."""
        while (address, list(values)) not in read(self.packet()):
            pass

    def close(self) -> None:
        self.socket.close()


class Served:
    """A server that runs in an event loop of its own thread."""

    def __init__(self, rig: MemoryRig, server: OscServer) -> None:
        self.rig = rig
        self.server = server
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="osc-server")
        self._thread.start()
        self._is_closed = False
        self._clients: list[Client] = []
        try:
            asyncio.run_coroutine_threadsafe(server.start(), self._loop).result(5.0)
        except BaseException:
            self.close()
            raise

    def client(self, address: str = "127.0.0.1", port: int = 0) -> Client:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        client = Client(family, (address, port or self.server.port))
        self._clients.append(client)
        return client

    def call(self, work: Callable[[], None]) -> None:
        """Run something on the control thread."""

        async def run() -> None:
            work()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(5.0)

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            asyncio.run_coroutine_threadsafe(self.server.close(), self._loop).result(5.0)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(5.0)
            self._loop.close()

    def close_clients(self) -> None:
        for client in self._clients:
            client.close()


@pytest.fixture
def rig() -> MemoryRig:
    """A rig with four models and no model knobs."""
    return MemoryRig()


@pytest.fixture
def serve(rig: MemoryRig) -> Iterator[Callable[..., Served]]:
    """Start a server with given options on a free port."""
    started: list[Served] = []

    def start(**options: object) -> Served:
        served = Served(rig, OscServer(rig.controller, 0, **{"local": True, **options}))  # type: ignore[arg-type]
        started.append(served)
        return served

    yield start
    for served in started:
        served.close()
        served.close_clients()


@pytest.fixture
def served(serve: Callable[..., Served]) -> Served:
    """A running server on loopback."""
    return serve()


@pytest.fixture
def client(served: Served) -> Client:
    """A client of it."""
    return served.client()


class FakeTimer:
    """Work that was put off."""

    def __init__(self, time_s: float, work: Callable[[], None]) -> None:
        self.time_s = time_s
        self.work = work
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeTimers:
    """A clock that moves when the test says so, and does what has become due on the way."""

    def __init__(self) -> None:
        self.time_s = 1000.0
        self._waiting: list[FakeTimer] = []

    def now_s(self) -> float:
        return self.time_s

    def later(self, delay_s: float, work: Callable[[], None]) -> FakeTimer:
        assert delay_s >= 0.0
        timer = FakeTimer(self.time_s + delay_s, work)
        self._waiting.append(timer)
        return timer

    def waiting(self) -> list[float]:
        """Return the times of everything that is put off."""
        self._waiting = [timer for timer in self._waiting if not timer.is_cancelled]
        return sorted(timer.time_s for timer in self._waiting)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.time_s + seconds
        while (times := self.waiting()) and times[0] <= end:
            due = next(timer for timer in self._waiting if timer.time_s == times[0])
            self._waiting.remove(due)
            self.time_s = max(self.time_s, due.time_s)
            due.work()
        self.time_s = end


def size_of(message: Message) -> int:
    """Return how many bytes a message has at least."""
    return string_size(message.address) + string_size("," + message.tags) + 4 * len(message.values)


class Peer:
    """A client without a socket: what it is sent, with the time."""

    def __init__(
        self, timers: FakeTimers, host: str = "127.0.0.1", port: int = 50_000, **fields: object
    ) -> None:
        self.timers = timers
        self.packets: list[tuple[float, bytes]] = []
        is_local = host.startswith("127.")
        self.others: dict[int, Peer] = {}
        self.is_full = False
        options: dict[str, object] = {
            "is_trusted": is_local,
            "destination": (host, port),
            "client": (host, port) if is_local else host,
            "to_port": lambda other: self.other(other).sender,
        }
        self.sender = Sender(
            send=lambda packet: self.packets.append((timers.now_s(), packet)),
            host=host,
            is_busy=lambda: self.is_full,
            **(options | fields),  # type: ignore[arg-type]
        )

    def other(self, port: int) -> "Peer":
        """Return another port of the same host."""
        return self.others.setdefault(port, Peer(self.timers, self.sender.host, port))

    def messages(self, *, with_slot_forms: bool = False) -> list[tuple[str, list[object]]]:
        """Return everything that came since the last call; see `without_slot_forms`."""
        packets, self.packets = self.packets, []
        found = [message for _, packet in packets for message in read(packet)]
        return found if with_slot_forms else without_slot_forms(found)


class Desk:
    """A dispatcher without sockets: messages in, answers out (and no echoes), on a fake clock."""

    def __init__(self, rig: MemoryRig, *, is_trusted: bool = True) -> None:
        self.timers = FakeTimers()
        self.wall_s = 1_700_000_000.0
        self.sent: list[bytes] = []
        self.dispatcher = Dispatcher(
            rig.controller, Counters(), self.timers, wall_clock=lambda: self.wall_s
        )
        self.sender = Sender(
            send=self.sent.append,
            host="127.0.0.1" if is_trusted else "192.168.1.7",
            is_trusted=is_trusted,
            may_write=is_trusted,
            gets_echoes=False,
        )

    def peer(self, host: str = "127.0.0.1", port: int = 50_000, **fields: object) -> Peer:
        """Return another client."""
        return Peer(self.timers, host, port, **fields)

    def perform(self, packet: Packet) -> list[tuple[str, list[object]]]:
        """Return what the packet is answered with."""
        self.sent.clear()
        self.dispatcher.perform(packet, self.sender)
        return self.answers()

    def say(self, address: str, tags: str = "", *values: object) -> list[tuple[str, list[object]]]:
        """Perform one message."""
        message = Message(address, tags, values)  # type: ignore[arg-type]
        return self.perform(Packet(message, 1, size_of(message)))

    def receive(self, peer: Peer, address: str, tags: str = "", *values: object) -> None:
        """Perform one message of another client."""
        message = Message(address, tags, values)  # type: ignore[arg-type]
        self.dispatcher.perform(Packet(message, 1, size_of(message)), peer.sender)

    def answers(self) -> list[tuple[str, list[object]]]:
        return [message for packet in self.sent for message in read(packet)]


@pytest.fixture
def desk(rig: MemoryRig) -> Desk:
    """A dispatcher for a sender on this machine."""
    return Desk(rig)


@pytest.fixture
def stranger(rig: MemoryRig) -> Desk:
    """A dispatcher for a sender on another machine."""
    return Desk(rig, is_trusted=False)


@pytest.fixture
def count_calls() -> Callable[[Callable[[], object]], int]:
    """Count the calls that a piece of work makes: a measure of work that no clock disturbs."""

    def count(work: Callable[[], object]) -> int:
        calls = 0

        def tally(frame: object, event: str, argument: object) -> None:
            nonlocal calls
            calls += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(tally)
        try:
            work()
        finally:
            sys.setprofile(before)
        return calls

    return count
