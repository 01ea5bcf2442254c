"""The OSCQuery service: what an HTTP and WebSocket server needs of the OSC surface."""

from collections.abc import Callable, Hashable, Sequence

from nemod.control.controller import Controller
from nemod.control.events import LibraryChanged, ModelChanged, PresetListChanged
from nemod.network.interfaces import Address
from nemod.osc.addresses.leaf import Leaf
from nemod.osc.addresses.models import MODEL
from nemod.osc.addresses.parameters import ROOT
from nemod.osc.addresses.presets import PRESET
from nemod.osc.addresses.tree import Tree
from nemod.osc.query.answers import Answer, QueryAnswers
from nemod.osc.query.listening import Connection, ListeningSession
from nemod.osc.server import OscServer
from nemod.osc.timers import Timer

NOTICE_S = 0.1
"""[s] After a change, in which further ones are told together with it."""
_CHANGED_PATHS = {
    LibraryChanged: MODEL.rstrip("/"),
    PresetListChanged: PRESET.rstrip("/"),
}
"""What an event changes in the descriptions of the tree, besides the knobs of a model."""


class OscQuery:
    """Answers requests, and serves WebSockets. Thread: control.

    Made after the OSC server was started, whose port it names.
    """

    def __init__(self, server: OscServer, name: str) -> None:
        """`name`: of this host, for people."""
        self._server = server
        self._answers = QueryAnswers(server.dispatcher, name=name, osc_port=server.port)
        self._sessions: list[ListeningSession] = []
        self._tree = server.dispatcher.tree
        self._changed: set[str] = set()
        self._timer: Timer | None = None
        controller: Controller = server.dispatcher.controller
        kinds = (ModelChanged, *_CHANGED_PATHS)
        self._events = controller.subscribe(kinds=kinds, wake=self._wake)

    def answer(self, path: str, query: str) -> Answer:
        """Return the answer to a GET request; path and query as they were sent."""
        return self._answers.answer(path, query)

    def open_session(self, connection: Connection, address: Address, port: int) -> ListeningSession:
        """Begin to serve a WebSocket whose client has this address."""
        server = self._server
        session = ListeningSession(
            connection,
            lambda send: server.receiver.sender(
                send, address, port, is_connected=True, is_busy=connection.is_busy
            ),
            server.dispatcher,
            server.receiver,
            server.feedback,
            self._sessions.remove,
        )
        self._sessions.append(session)
        return session

    def close(self) -> None:
        """Tell nobody of further changes."""
        self._events.close()
        if self._timer is not None:
            self._timer.cancel()
