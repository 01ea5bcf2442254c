"""Files over HTTP: who may send what, and that nothing else comes of it."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.http_exceptions import TransferEncodingError

from nemod.common.errors import ModelError, QuotaError
from nemod.formats import impulse_response
from nemod.library import LibraryError
from nemod.network.access import Access
from nemod.presets.preset import MAX_BYTES, Preset
from nemod.presets.writer import to_text
from nemod.web import api
from nemod.web.api import ApiRoute
from nemod.web.guard import Guard
from tests.chains import chain_of
from tests.osc.conftest import MemoryRig
from tests.web.rig import ServedRig, serve_rig

PRESET = to_text(Preset(name="Lead", chain=chain_of("Amp Lead"))).encode()


class Client:
    """Sends files as the page does, unless told otherwise."""

    def __init__(self, served: ServedRig, http: aiohttp.ClientSession) -> None:
        self.served = served
        self.rig = served.rig
        self.http = http

    async def post(self, path: str, data: Any = b"{}", **headers: str | None) -> tuple[int, Any]:
        sent = {"Origin": self.served.url, "X-Nemod": "page"}
        for name, value in headers.items():
            sent.pop(name.replace("_", "-"), None)
            if value is not None:
                sent[name.replace("_", "-")] = value
        async with self.http.post(path, data=data, headers=sent) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "Access-Control-Allow-Origin" not in answer.headers
            is_json = answer.content_type == "application/json"
            return answer.status, await answer.json() if is_json else await answer.text()


def run(check: Callable[[Client], Awaitable[None]]) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(30.0),
            serve_rig() as served,
            aiohttp.ClientSession(served.url) as http,
        ):
            await check(Client(served, http))

    asyncio.run(main())


def test_a_model_is_added_under_the_name_of_its_file() -> None:
    """Whatever characters that has."""

    async def check(client: Client) -> None:
        status, answer = await client.post("/api/models/%C3%9Cber%20amp.json", b"{1}")
        assert (status, answer) == (200, {"name": "Über amp", "text": "Model added: Über amp"})
        assert client.rig.added == {"Über amp": b"{1}"}

    run(check)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": None}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"X_Nemod": None}, 403),
        ({"Host": "evil.example"}, 421),
    ],
)
def test_only_the_page_itself_may_send(headers: dict[str, str | None], status: int) -> None:
    """A page of another origin can neither send the header nor claim the origin."""

    async def check(client: Client) -> None:
        assert (await client.post("/api/models/amp.json", **headers))[0] == status
        assert client.rig.added == {}

    run(check)


@pytest.mark.parametrize(
    "name", ["", "..%2Famp.json", "a/b.json", "..%5Camp.json", "a%00.json", "%ff.json", "a%0d%0ab"]
)
def test_a_name_is_no_path(name: str) -> None:
    """Nor does it have control characters; the folder is the user's own."""

    async def raw(client: Client) -> None:
        """Send it as it is: an HTTP client would change the path."""
        reader, writer = await asyncio.open_connection("127.0.0.1", client.served.web.port)
        lines = [
            f"POST /api/models/{name} HTTP/1.1",
            "Host: localhost",
            "Origin: http://localhost",
            "X-Nemod: page",
            "Content-Length: 2",
        ]
        writer.write("\r\n".join([*lines, "", "{}"]).encode())
        assert (await reader.readline()).split()[1] == b"400"
        writer.close()
        assert client.rig.added == {}

    run(raw)


@pytest.mark.parametrize("is_stated", [True, False])
def test_a_file_has_a_largest_size(is_stated: bool) -> None:
    """Whether or not the request states it; the connection ends."""

    async def pieces() -> Any:
        for _ in range(3):
            yield bytes(MAX_BYTES // 2)

    async def check(client: Client) -> None:
        data = bytes(MAX_BYTES + 1) if is_stated else pieces()
        status, answer = await client.post("/api/presets/big.yaml", data)
        assert (status, answer["code"]) == (413, "limit")
        assert client.rig.presets.kept == {}

    run(check)


def test_a_body_that_does_not_arrive_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Meanwhile another file has to wait, and everything else is answered."""
    monkeypatch.setattr(api, "BODY_S", 0.3)

    async def check(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.served.web.port)
        lines = [
            "POST /api/models/amp.json HTTP/1.1",
            "Host: localhost",
            "Origin: http://localhost",
            "X-Nemod: page",
            "Content-Length: 100",
        ]
        writer.write("\r\n".join([*lines, "", "{"]).encode())
        await asyncio.sleep(0.05)
        status, answer = await client.post("/api/models/other.json")
        assert (status, answer["code"]) == (409, "busy")
        async with client.http.get("/nemo/gain?VALUE") as other:
            assert other.status == 200
        assert (await reader.readline()).split()[1] == b"408"
        writer.close()
        assert (await client.post("/api/models/other.json"))[0] == 200

    run(check)


def test_the_next_file_waits_until_the_one_before_is_kept() -> None:
    """Not only until it has arrived."""

    async def check(client: Client) -> None:
        is_free = threading.Event()
        add = client.rig.add

        def slow(name: str, content: bytes) -> str:
            assert is_free.wait(10.0)
            return add(name, content)

        client.rig.add = slow  # type: ignore[method-assign]
        first = asyncio.create_task(client.post("/api/models/amp.json"))
        await asyncio.sleep(0.1)
        status, answer = await client.post("/api/models/other.json")
        assert (status, answer["code"]) == (409, "busy")
        is_free.set()
        assert (await first)[0] == 200
        assert (await client.post("/api/models/other.json"))[0] == 200

    run(check)


@pytest.mark.parametrize(
    "error", [TransferEncodingError("zz"), web.RequestPayloadError("malformed chunk")]
)
def test_a_malformed_body_is_an_error_of_the_client(error: Exception) -> None:
    """By whichever parser it is found."""

    class Content:
        async def iter_any(self) -> AsyncIterator[bytes]:
            yield b"{"
            raise error

    request = SimpleNamespace(content_length=None, headers={}, content=Content(), transport=None)
    with pytest.raises(api._RefusedError, match="malformed") as raised:
        asyncio.run(api._body(request, 100))  # type: ignore[arg-type]
    assert raised.value.status == 400


@pytest.mark.parametrize("body", [b"zz\r\nno chunk\r\n", b"2\r\n{}XX\r\n", b"2\r\n{}\r\nzz\r\n"])
def test_a_malformed_chunk_ends_the_request_at_once(body: bytes) -> None:
    """Also one that comes after the headers; the next file is taken."""

    async def check(client: Client) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", client.served.web.port)
        lines = [
            "POST /api/models/amp.json HTTP/1.1",
            "Host: localhost",
            "Origin: http://localhost",
            "X-Nemod: page",
            "Expect: 100-continue",
            "Transfer-Encoding: chunked",
        ]
        writer.write("\r\n".join([*lines, "", ""]).encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        async with asyncio.timeout(api.BODY_S / 10.0):
            answer = await reader.read()
        assert answer.split()[1] == b"400"
        assert b"malformed" in answer
        writer.close()
        assert client.rig.added == {}
        assert (await client.post("/api/models/amp.json"))[0] == 200

    run(check)


def test_a_cabinet_is_added() -> None:
    """To the library of cabinets."""

    async def check(client: Client) -> None:
        status, answer = await client.post("/api/cabinets/my%20cab.wav", b"RIFF")
        assert (status, answer) == (200, {"name": "my cab", "text": "Cabinet added: my cab"})
        assert client.rig.cabinets.added == {"my cab": b"RIFF"}
        assert client.rig.added == {}
        assert api.MAX_CABINET_BYTES == impulse_response.MAX_BYTES

    run(check)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ModelError("", "no layer 'lstm'"), 422, "value"),
        (QuotaError("no room"), 507, "limit"),
        (LibraryError("no index"), 503, "io"),
        (OSError(28, "No space left on device"), 503, "io"),
        (RuntimeError("a fault"), 503, "io"),
    ],
)
def test_what_is_wrong_with_a_file_is_answered(error: Exception, status: int, code: str) -> None:
    """As JSON, with the codes of the other surfaces."""

    async def check(client: Client) -> None:
        client.rig.add_error = error
        got, answer = await client.post("/api/models/amp.json")
        assert (got, answer["code"]) == (status, code)
        assert str(getattr(error, "reason", None) or error.args[-1]) in answer["text"]

    run(check)


def test_presets_go_both_ways() -> None:
    """What was downloaded is added as another one."""

    async def check(client: Client) -> None:
        assert (await client.post("/api/presets/first.yaml", PRESET))[1]["name"] == "Lead"
        async with client.http.get("/api/presets/0") as answer:
            assert answer.status == 200
            assert answer.headers["Content-Disposition"].startswith(
                'attachment; filename="000-Lead.yaml"'
            )
            content = await answer.read()
        assert content == PRESET
        assert (await client.post("/api/presets/x.yaml", content))[1]["name"] == "Lead 2"
        assert sorted(client.rig.presets.kept) == [0, 1]

    run(check)


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe",
        b"- a list",
        b"[" * 600,
        b"{" + b'"a":{' * 600,
        b"a: &a [*a]",
        b"name: !!python/object/apply:os.system ['true']",
        b"name: Lead\nchain: [{model: {file: ../../etc/passwd}}]",
    ],
)
def test_what_is_no_preset_is_refused(content: bytes) -> None:
    """Deeply nested, with aliases and tags, or naming a path."""

    async def check(client: Client) -> None:
        status, answer = await client.post("/api/presets/x.yaml", content)
        assert (status, answer["code"]) == (422, "value")
        assert client.rig.presets.kept == {}

    run(check)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/", 404),
        ("GET", "/api/presets/", 404),
        ("GET", "/api/presets/-1", 404),
        ("GET", "/api/presets/5", 404),
        ("GET", "/api/presets/%D9%A1", 404),
        ("GET", "/api/presets/" + "9" * 400, 404),
        ("GET", "/api/models/amp.json", 404),
        ("POST", "/api/nothing/x", 404),
        ("PUT", "/api/presets/0", 405),
        ("DELETE", "/api/presets/0", 405),
        ("POST", "/", 405),
        ("POST", "/page/index.html", 405),
        ("POST", "/nemo/gain", 405),
    ],
)
def test_nothing_else_is_answered(method: str, path: str, status: int) -> None:
    """POST only below `/api/`."""

    async def check(client: Client) -> None:
        headers = {"Origin": client.served.url, "X-Nemod": "page"}
        async with client.http.request(method, path, headers=headers) as answer:
            assert answer.status == status

    run(check)


def test_who_may_write_is_who_may_delete_over_osc() -> None:
    """Loopback and `allow_write`."""

    class Transport:
        def __init__(self, host: str) -> None:
            self.host = host

        def get_extra_info(self, name: str) -> tuple[str, int]:
            return self.host, 5

    class Request:
        def __init__(self, host: str) -> None:
            self.transport = Transport(host)

    guard = Guard(Access(attached=list))
    route = ApiRoute(MemoryRig().controller, guard, ["192.168.7.0/24"])
    for host in ("127.0.0.1", "::1", "192.168.7.9"):
        assert route._writer(Request(host)).client == f"{host}:5"  # type: ignore[arg-type]
    with pytest.raises(api._RefusedError, match=r"192\.168\.1\.9 may not add files"):
        route._writer(Request("192.168.1.9"))  # type: ignore[arg-type]
