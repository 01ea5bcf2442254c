"""The files of the page: who gets it at `/`, headers, and that nothing else is a file."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from nemod.web.page_files import FOLDER, accepts_html, content_security_policy
from tests.web.rig import ServedRig, serve_rig

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def run(check: Callable[[ServedRig, aiohttp.ClientSession], Awaitable[None]]) -> None:
    async def main() -> None:
        async with (
            asyncio.timeout(30.0),
            serve_rig() as served,
            aiohttp.ClientSession(served.url) as http,
        ):
            await check(served, http)

    asyncio.run(main())


def test_a_browser_gets_the_page_and_a_client_of_oscquery_json() -> None:
    """By what it accepts; a query, a path below and a HEAD are as before."""

    async def check(served: ServedRig, http: aiohttp.ClientSession) -> None:
        for path, headers, kind in [
            ("/", BROWSER, "text/html"),
            ("/", {"Accept": "*/*"}, "application/json"),
            ("/", {"Accept": "application/json"}, "application/json"),
            ("/", {}, "application/json"),
            ("/?HOST_INFO", BROWSER, "application/json"),
            ("/nemo/gain", BROWSER, "application/json"),
        ]:
            for method in ("GET", "HEAD"):
                async with http.request(method, path, headers=headers) as answer:
                    assert (answer.status, answer.content_type) == (200, kind), (path, headers)
                    assert (answer.headers.get("Vary") == "Accept") == (path == "/")

    run(check)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["text/html"], True),
        (["a/b, TEXT/HTML;q=0.1"], True),
        (["application/json", "text/html"], True),
        (["*/*"], False),
        (["text/*"], False),
        (["text/htmlx"], False),
        ([""], False),
        ([], False),
    ],
)
def test_html_must_be_named(values: list[str], expected: bool) -> None:
    """A wildcard is no browser that opens a page."""
    assert accepts_html(values) is expected


def test_every_file_has_its_type_and_may_load_only_its_own() -> None:
    """And is asked for again only when it has changed."""
    kinds = {
        "index.html": "text/html",
        "style.css": "text/css",
        "js/main.js": "text/javascript",
        "icon.svg": "image/svg+xml",
        "icon-180.png": "image/png",
        "manifest.webmanifest": "application/manifest+json",
    }

    async def check(served: ServedRig, http: aiohttp.ClientSession) -> None:
        for name, kind in kinds.items():
            async with http.get(f"/page/{name}") as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert await answer.read() == (FOLDER / name).read_bytes()
                policy = answer.headers["Content-Security-Policy"]
                assert policy == content_security_policy(f"127.0.0.1:{served.web.port}")
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["X-Frame-Options"] == "DENY"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert answer.headers["Cache-Control"] == "no-cache"
                assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
                known = {"If-None-Match": answer.headers["ETag"]}
            async with http.get(f"/page/{name}", headers=known) as answer:
                assert (answer.status, await answer.read()) == (304, b"")

    run(check)


def test_the_policy_forbids_what_is_not_needed() -> None:
    """No inline script, no inline style, nothing of another host, no frame, no HTML from text."""
    policy = dict(
        part.strip().split(" ", 1) for part in content_security_policy("rig:9080").split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["img-src"] == "'self'"
    assert policy["connect-src"] == "'self' ws://rig:9080 wss://rig:9080"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    html = (FOLDER / "index.html").read_text()
    assert " style=" not in html
    assert " on" not in html.replace(" one", "")
    assert html.count("<script") == 1


@pytest.mark.parametrize(
    "path",
    [
        "/page/",
        "/page/index.htm",
        "/page/../server.py",
        "/page/%2e%2e/server.py",
        "/page//etc/passwd",
        "/page/js",
        "/page/js/main.js/",
    ],
)
def test_nothing_else_is_a_file(path: str) -> None:
    """Names are looked up in memory; no path is opened."""

    async def check(served: ServedRig, http: aiohttp.ClientSession) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.web.port)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()
        )
        assert (await reader.readline()).split()[1] == b"404"
        writer.close()

    run(check)
