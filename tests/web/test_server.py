"""The server over real connections: aiohttp as client, and raw sockets for malformed requests."""

import asyncio
import socket

import aiohttp
import pytest
import structlog.testing
from aiohttp import web

from nemod.network.access import Access
from nemod.network.sockets import PortError
from nemod.web.guard import Guard
from nemod.web.server import WebServer
from nemod.web.start import start_web_server
from tests.osc.conftest import MemoryRig
from tests.web.conftest import Served, Service, run, status_of


def test_get_is_answered_with_json() -> None:
    """Path and query reach the service as they were sent."""

    async def check(served: Served) -> None:
        answer = await served.get("/nemo/g%61in?VALUE&RANGE#part")
        assert (answer.status, answer.content_type) == (200, "application/json")
        url = f"{served.url}/nemo/%2e%2e"
        async with served.http.get(aiohttp.typedefs.URL(url, encoded=True)) as again:
            assert await again.text() == '"/nemo/%2e%2e"'
        assert served.service.asked[-1] == ("/nemo/%2e%2e", "")

    run(check)


def test_no_page_of_another_origin_can_read_an_answer() -> None:
    """There are no CORS headers, and nothing is kept or guessed."""

    async def check(served: Served) -> None:
        answer = await served.get("/nemo", headers={"Origin": "http://evil.example"})
        assert not [name for name in answer.headers if name.startswith("Access-Control")]
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Server"] == "nemod"

    run(check)


@pytest.mark.parametrize(("path", "status"), [("/a", 200), ("/missing", 404), ("/nothing", 204)])
def test_head_is_get_without_its_body(path: str, status: int) -> None:
    """The same status, and the length of what GET would send."""

    async def check(served: Served) -> None:
        got = await served.get(path)
        async with served.http.head(served.url + path) as answer:
            assert answer.status == got.status == status
            assert await answer.read() == b""
            if status == 200:
                assert answer.headers["Content-Length"] == got.headers["Content-Length"] == "4"
        raw = await served.raw(
            f"HEAD {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        assert raw.endswith(b"\r\n\r\n")

    run(check)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_other_methods_are_not_allowed(method: str) -> None:
    """Whatever they carry is not read."""

    async def check(served: Served) -> None:
        async with served.http.request(method, served.url + "/a", data=b"x" * 1000) as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET, HEAD"
        assert served.service.asked == []

    run(check)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1.evil", "", "a b"])
def test_a_host_that_is_not_this_machine_is_misdirected(host: str) -> None:
    """DNS rebinding: the browser sends the name that was pointed here."""

    async def check(served: Served) -> None:
        answer = await served.raw(f"GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert status_of(answer) == 421
        assert served.service.asked == []

    run(check)


def test_a_request_without_host_or_with_two_is_refused() -> None:
    """HTTP/1.0 knows no Host; a client of today sends one."""

    async def check(served: Served) -> None:
        assert status_of(await served.raw(b"GET /a HTTP/1.0\r\n\r\n")) in (400, 421)
        two = b"GET /a HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\n\r\n"
        assert status_of(await served.raw(two)) in (400, 421)
        assert served.service.asked == []

    run(check)


def test_hosts_of_the_configuration_are_served() -> None:
    """A name behind a proxy, for example."""

    async def check(served: Served) -> None:
        assert (await served.get("/a", headers={"Host": "rig.example"})).status == 200

    run(check, allow_hosts=["rig.example"])


MALFORMED = {
    "an unknown method": b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "no HTTP": b"hello\r\n\r\n",
    "OSC": b"/nemo/gain\0\0,f\0\0\x3f\x00\0\0\r\n\r\n",
    "a long path": b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 20_000 + b"\r\n\r\n",
    "no colon": b"GET / HTTP/1.1\r\nHost localhost\r\n\r\n",
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: local\0host\r\n\r\n",
    "HTTP/9": b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n",
    "HTTP/2": b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "two lengths": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n"
    b"Content-Length: 2\r\n\r\nab",
    "a negative length": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
    "length and chunks": b"GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(200)),
    "another server": b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "CONNECT": b"CONNECT evil.example:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an asterisk": b"GET * HTTP/1.1\r\nHost: localhost\r\n\r\n",
}


@pytest.mark.parametrize("request_", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed_requests_are_refused(request_: bytes) -> None:
    """400 or another refusal, the connection ends, nothing is printed, the next one is served."""

    async def check(served: Served) -> None:
        with structlog.testing.capture_logs() as logged:
            answer = await served.raw(request_)
        assert not answer or 400 <= status_of(answer) <= 505
        assert not answer or status_of(answer) != 500
        assert b"Traceback" not in answer
        assert served.service.asked == []
        assert not [entry for entry in logged if entry["log_level"] == "error"]
        assert (await served.get("/a")).status == 200

    run(check)


def test_aiohttp_prints_nothing_about_its_clients(capfd: pytest.CaptureFixture[str]) -> None:
    """Neither by logging nor to the terminal."""

    async def check(served: Served) -> None:
        for request in MALFORMED.values():
            await served.raw(request)

    run(check)
    out, err = capfd.readouterr()
    assert "Traceback" not in out + err
    assert "aiohttp" not in out + err


def test_files_are_never_served() -> None:
    """Paths reach the service as text and nothing else; it knows addresses only."""

    async def check(served: Served) -> None:
        for path in ("/pyproject.toml", "/../../etc/passwd", "/%2e%2e/etc/passwd", "//etc/passwd"):
            request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
            answer = await served.raw(request.encode())
            assert answer.endswith(f'\r\n\r\n"{path}"'.encode())

    run(check)


def test_a_fault_is_answered_500_and_logged_once() -> None:
    """The log has the traceback, the client has nothing of it."""

    async def check(served: Served) -> None:
        served.service.error = RuntimeError("secret")
        with structlog.testing.capture_logs() as logged:
            for _ in range(5):
                answer = await served.get("/a")
                assert answer.status == 500
                assert "secret" not in await answer.text()
        assert [entry["event"] for entry in logged] == ["http.failed"]
        assert logged[0]["exc_info"] is served.service.error
        served.service.error = None
        assert (await served.get("/a")).status == 200

    run(check)


def test_the_longest_prefix_answers() -> None:
    """Other routes can be added beside that of OSCQuery, with methods of their own."""

    class Api:
        prefix = "/api/"
        methods = frozenset({"GET", "POST"})

        async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
            return web.Response(text=f"api {request.method}")

        async def close(self) -> None:
            closed.append(True)

    closed: list[bool] = []

    async def main() -> None:
        guard = Guard(Access(local=True))
        server = WebServer([Api()], guard)
        await server.start(0, is_local=True)
        async with aiohttp.ClientSession() as http:
            url = f"http://127.0.0.1:{server.port}"
            async with http.post(url + "/api/x") as answer:
                assert await answer.text() == "api POST"
            async with http.get(url + "/other") as answer:
                assert answer.status == 404
        await server.close()

    asyncio.run(main())
    assert closed == [True]


def test_a_taken_port_is_named_with_its_owner() -> None:
    """The caller makes it a warning."""

    async def check(served: Served) -> None:
        with pytest.raises(PortError, match=r"is taken by .*choose another with --http-port"):
            await start_web_server(
                Service(), MemoryRig().controller, served.server.port, local=True
            )

    run(check)


def test_the_server_is_there_on_both_families_of_loopback() -> None:
    """`localhost` may be either."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")

    async def main() -> None:
        server = await start_web_server(Service(), MemoryRig().controller, 0, local=True)
        async with aiohttp.ClientSession() as http:
            for host in ("127.0.0.1", "[::1]", "localhost"):
                async with http.get(f"http://{host}:{server.port}/a") as answer:
                    assert answer.status == 200
        await server.close()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", server.port)

    asyncio.run(main())


def test_closing_is_quick_with_open_connections() -> None:
    """Idle ones and WebSockets alike."""

    async def check(served: Served) -> None:
        await served.get("/a")
        _, writer = await asyncio.open_connection("127.0.0.1", served.server.port)
        sockets = [await served.http.ws_connect(served.url) for _ in range(3)]
        start = asyncio.get_running_loop().time()
        await asyncio.gather(served.server.close(), *(one.receive() for one in sockets))
        assert asyncio.get_running_loop().time() - start < 1.5
        assert [one.close_code for one in sockets] == [1001] * 3
        assert all(session.has_ended for session in served.service.sessions)
        writer.close()

    run(check)


def test_nothing_of_aiohttp_is_imported_with_the_package() -> None:
    """`nemod --help` must stay quick: only the modules that need it import it."""
    import subprocess
    import sys

    code = "import sys, nemod.web.start, nemod.web.guard; print('aiohttp' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
