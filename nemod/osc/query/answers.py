"""Answers to OSCQuery requests: path and query of a URL -> status and JSON."""

import json
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

from nemod.osc.dispatcher import Dispatcher
from nemod.osc.query.describe import Access, Json, access, describe

ATTRIBUTES = frozenset(
    {
        "FULL_PATH",
        "CONTENTS",
        "TYPE",
        "ACCESS",
        "VALUE",
        "RANGE",
        "DESCRIPTION",
        "CLIPMODE",
        "UNIT",
        "TAGS",
        "OVERLOADS",
        "CRITICAL",
        "DEFAULT_VALUE",
    }
)
"""Attributes that can be requested one by one."""
_REQUIRED = frozenset({"FULL_PATH", "CONTENTS", "TYPE"})
"""Attributes that every server has, so that no extension names them."""
_NOTIFICATIONS = ("LISTEN", "PATH_CHANGED")
_HOST_INFO = "HOST_INFO"
_MAX_PATH = 1024
"""[characters]"""


class Answer(NamedTuple):
    """What a request is answered with."""

    status: int
    body: bytes
    """JSON; empty unless the status is 200."""


class QueryAnswers:
    """Answers OSCQuery requests from the address tree. Thread: control."""

    def __init__(self, dispatcher: Dispatcher, *, name: str, osc_port: int) -> None:
        """`name`: of the host, for people. `osc_port`: where it receives OSC over UDP."""
        self._dispatcher = dispatcher
        self._host_info: dict[str, Json] = {
            "NAME": name,
            "EXTENSIONS": dict.fromkeys((*sorted(ATTRIBUTES - _REQUIRED), *_NOTIFICATIONS), True),
            "OSC_PORT": osc_port,
            "OSC_TRANSPORT": "UDP",
        }

    def answer(self, path: str, query: str) -> Answer:
        """Return the answer to a GET request.

        `path` and `query` are those of the URL as they were sent: percent-encoded, the query
        without `?`. Several attributes, joined by `&`, are answered together.
        """
        wanted = [part.partition("=")[0] for part in query.split("&") if part]
        if _HOST_INFO in wanted:
            return _json(self._host_info)
        address = unquote(path, errors="replace")
        if len(address) > 1:
            address = address.removesuffix("/")
        node = self._dispatcher.tree.node(address) if len(address) <= _MAX_PATH else None
        if node is None or not address.startswith("/"):
            return _failed(HTTPStatus.NOT_FOUND)
        if not ATTRIBUTES.issuperset(wanted):
            return _failed(HTTPStatus.BAD_REQUEST)
        if "VALUE" in wanted and Access.READ not in access(node):
            return _failed(HTTPStatus.NO_CONTENT)
        about = describe(node, address, self._dispatcher.controller)
        if wanted:
            about = {key: value for key, value in about.items() if key in wanted}
        return _json(about)


def _failed(status: HTTPStatus) -> Answer:
    return Answer(status.value, b"")


def _json(content: Json) -> Answer:
    text = json.dumps(content, allow_nan=False, separators=(",", ":"))
    return Answer(HTTPStatus.OK.value, text.encode())
