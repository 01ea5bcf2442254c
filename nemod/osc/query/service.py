"""The OSCQuery service: what an HTTP and WebSocket server needs of the OSC surface."""

from nemod.common.timers import LoopTimers
from nemod.network.connection import Connection
from nemod.network.interfaces import Address
from nemod.osc.query.answers import Answer, QueryAnswers
from nemod.osc.query.listening import ListeningSession
from nemod.osc.query.notices import ChangeNotices
from nemod.osc.server import OscServer


class OscQuery:
    """Answers requests and serves WebSockets, for an OSC server that has been started.

    Thread: control.
    """

    def __init__(self, server: OscServer, name: str) -> None:
        """`name`: of this host, for people."""
        self._server = server
        self._sessions: list[ListeningSession] = []
        dispatcher = server.dispatcher
        self._answers = QueryAnswers(dispatcher, name=name, osc_port=server.port)
        self._notices = ChangeNotices(
            dispatcher.controller,
            lambda: dispatcher.tree,
            LoopTimers(server.receiver.guard),
            self._path_changed,
        )

    def answer(self, path: str, query: str) -> Answer:
        """Return the answer to a GET request; path and query as they were sent."""
        return self._answers.answer(path, query)

    def open_session(self, connection: Connection, address: Address, port: int) -> ListeningSession:
        """Begin to serve a WebSocket whose client has this address."""
        server = self._server
        session = ListeningSession(
            connection,
            lambda send: server.receiver.sender(
                send,
                address,
                port,
                is_connected=True,
                is_busy=connection.is_busy,
                gets_echoes=False,  # it is sent what it listens to
            ),
            server.dispatcher,
            server.receiver,
            server.feedback,
            self._sessions.remove,
        )
        self._sessions.append(session)
        return session

    def close(self) -> None:
        """Send no more notices of changes of the tree."""
        self._notices.close()

    def _path_changed(self, path: str) -> None:
        for session in self._sessions:
            session.path_changed(path)
