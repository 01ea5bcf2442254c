"""Files over HTTP: below `/api/`, they are sent to the daemon and taken from it.

    POST /api/models/<name of the file>     add a model to the user's own folder
    POST /api/cabinets/<name of the file>   add a cabinet to the user's own folder
    POST /api/presets/<name of the file>    add a preset, at the first free number
    GET  /api/presets/<number>              a preset as a file

The body of a POST is the file itself. It needs `Origin`, that of this server, and the header
`X-Nemod`, with which no page of another origin can send anything without being asked first.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import quote, unquote_to_bytes

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from nemod.control.controller import Controller
from nemod.control.errors import Code, ControlError
from nemod.control.events import Source
from nemod.control.files import MAX_CABINET_BYTES, MAX_MODEL_BYTES, MAX_PRESET_BYTES
from nemod.control.jobs import Job
from nemod.network.access import address_of, parse_networks
from nemod.network.interfaces import Address
from nemod.web.guard import Guard

HEADER = "X-Nemod"
BODY_S = 60.0
"""[s] In which the body of a request must be complete."""
JOB_S = 60.0
"""[s] How long a request waits for what it has started."""
MAX_NUMBER = 9
"""[digits] Of a preset's number."""
STATUSES = {
    Code.VALUE: HTTPStatus.UNPROCESSABLE_ENTITY,
    Code.NOT_FOUND: HTTPStatus.NOT_FOUND,
    Code.DENIED: HTTPStatus.FORBIDDEN,
    Code.BUSY: HTTPStatus.CONFLICT,
    Code.LIMIT: HTTPStatus.INSUFFICIENT_STORAGE,
    Code.IO: HTTPStatus.SERVICE_UNAVAILABLE,
}
_CSP = {"Content-Security-Policy": "default-src 'none'"}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of file that is taken."""

    word: str
    """What such a file is called in an answer."""
    max_bytes: int
    start: Callable[[str, bytes, Source], Job]


class _RefusedError(Exception):
    """A request that is answered with an error; the connection ends."""

    def __init__(self, status: HTTPStatus, text: str, code: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.text = text
        self.code = code or status.name.lower()


class ApiRoute:
    """Takes files and gives them. Thread: control."""

    prefix = "/api/"
    methods = frozenset({"GET", "HEAD", "POST"})

    def __init__(
        self, controller: Controller, guard: Guard, allow_write: Sequence[str] = ()
    ) -> None:
        """`guard` checks the origin. `allow_write`: networks that may add files, besides loopback.

        Raises: ConfigError for an entry that is not a network.
        """
        self._controller = controller
        self._guard = guard
        self._writers = parse_networks(allow_write)
        self._kinds: Mapping[str, Kind] = {
            "models": Kind("Model", MAX_MODEL_BYTES, controller.files.add_model),
            "cabinets": Kind("Cabinet", MAX_CABINET_BYTES, controller.files.add_cabinet),
            "presets": Kind("Preset", MAX_PRESET_BYTES, controller.files.add_preset),
        }
        self._is_receiving = False

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with JSON, or with a file."""
        kind, _, name = request.raw_path.partition("?")[0].removeprefix(self.prefix).partition("/")
        answer: Callable[[web.BaseRequest, str, str], Awaitable[web.Response]]
        answer = self._post if request.method == "POST" else self._get
        try:
            return await answer(request, kind, name)
        except _RefusedError as error:
            response = _json({"code": error.code, "text": error.text}, error.status)
            response.force_close()  # the rest of a body may still be on its way
            return response
        except ControlError as error:
            return _failed(error)

    async def close(self) -> None:
        """Leave jobs to end by themselves."""

    # --- taking ----------------------------------------------------------------------------------

    async def _post(self, request: web.BaseRequest, kind: str, name: str) -> web.Response:
        taken = self._kinds.get(kind)
        if taken is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "nothing can be sent to this path")
        origins = request.headers.getall("Origin", [])
        if not origins or not self._guard.is_origin(origins, request.host):
            raise _RefusedError(HTTPStatus.FORBIDDEN, "the Origin is not that of this server")
        if HEADER not in request.headers:
            raise _RefusedError(HTTPStatus.FORBIDDEN, f"the header {HEADER} is missing")
        source = self._writer(request)
        file = _file_name(name)
        if self._is_receiving:
            raise _RefusedError(HTTPStatus.CONFLICT, "another file is being received", Code.BUSY)
        self._is_receiving = True
        try:
            content = await _body(request, taken.max_bytes)
            job = taken.start(file, content, source)
        except BaseException:  # also where the client has gone
            self._is_receiving = False
            raise
        job.when_over(self._received)
        await _end_of(job)
        if job.error is not None:
            return _failed(job.error)
        name = job.result or ""
        return _json({"name": name, "text": f"{taken.word} added: {name}"}, HTTPStatus.OK)

    def _received(self, _job: Job) -> None:
        """Take the next file: this one is in its folder, or refused."""
        self._is_receiving = False

    def _writer(self, request: web.BaseRequest) -> Source:
        """Return who sends a file. Raises: _RefusedError for a host that may not."""
        peer = request.transport and request.transport.get_extra_info("peername")
        if not peer:
            raise ConnectionResetError
        address: Address = address_of(peer[0])
        if not address.is_loopback and not any(address in one for one in self._writers):
            text = (
                f"{address} may not add files: nemod's own machine may, and networks in "
                "osc.allow_write of its configuration"
            )
            raise _RefusedError(HTTPStatus.FORBIDDEN, text, Code.DENIED)
        return Source("page", f"{address}:{peer[1]}")

    # --- giving ----------------------------------------------------------------------------------

    async def _get(self, request: web.BaseRequest, kind: str, name: str) -> web.Response:
        is_number = name.isascii() and name.isdecimal() and len(name) <= MAX_NUMBER
        if kind != "presets" or not is_number:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "no file is at this path")
        file, text = self._controller.files.preset(int(name))
        plain = file.encode("ascii", "replace").decode().replace("?", "-")
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(file, safe='')}"
        return web.Response(
            body=text.encode(),
            content_type="application/yaml",
            headers={**_CSP, "Content-Disposition": disposition},
        )


def _file_name(quoted: str) -> str:
    """Return the name of a file from the path of a request. Raises: _RefusedError."""
    try:
        name = unquote_to_bytes(quoted).decode()
    except UnicodeDecodeError:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "the file's name is not UTF-8") from None
    if not name or "/" in name or "\\" in name or not name.isprintable():
        raise _RefusedError(
            HTTPStatus.BAD_REQUEST, "the name of a file is expected, without a folder"
        )
    return name


async def _body(request: web.BaseRequest, most: int) -> bytes:
    """Return the body of a request. Raises: _RefusedError where it is too long or too slow."""
    too_long = _RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"larger than {most:,} bytes", Code.LIMIT
    )
    if (request.content_length or 0) > most:
        raise too_long
    if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    content = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            async for chunk in request.content.iter_any():
                content += chunk
                if len(content) > most:
                    raise too_long
    except TimeoutError:
        text = f"the file did not arrive in {BODY_S:g} s"
        raise _RefusedError(HTTPStatus.REQUEST_TIMEOUT, text) from None
    except (web.RequestPayloadError, HttpProcessingError) as error:
        text = f"the body is malformed: {type(error).__name__}"
        raise _RefusedError(HTTPStatus.BAD_REQUEST, text) from None
    return bytes(content)


async def _end_of(job: Job) -> None:
    """Wait for the end of a job. Raises: _RefusedError where it takes too long."""
    ended = asyncio.get_running_loop().create_future()
    job.when_over(lambda job: None if ended.done() else ended.set_result(None))
    try:
        async with asyncio.timeout(JOB_S):
            await ended
    except TimeoutError:
        text = "it takes longer than expected; the list shows it when it is done"
        raise _RefusedError(HTTPStatus.ACCEPTED, text, Code.BUSY) from None


def _failed(error: ControlError) -> web.Response:
    content = {"code": str(error.code), "text": error.text + error.hint()}
    return _json(content, STATUSES.get(error.code, HTTPStatus.BAD_REQUEST))


def _json(content: Mapping[str, str], status: HTTPStatus) -> web.Response:
    text = json.dumps(content, ensure_ascii=False)
    return web.Response(
        status=status, body=text.encode(), content_type="application/json", headers=_CSP
    )
