"""The page for browsers: its files, which are part of the package and kept in memory."""

import hashlib
from http import HTTPStatus
from pathlib import Path

from aiohttp import web

from nemod.web.routes import Route

FOLDER = Path(__file__).parent / "page"
PREFIX = "/page/"
INDEX = "index.html"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webmanifest": "application/manifest+json",
}
"""By suffix; files of other kinds are no part of the page."""
_TEXTS = ("text/html", "text/css", "text/javascript")
_HEADERS = {
    "Cache-Control": "no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), midi=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class PageFiles:
    """Serves the files below `/page/`. Thread: control."""

    prefix = PREFIX
    methods = frozenset({"GET", "HEAD"})

    def __init__(self) -> None:
        """Read all files. Thread: any."""
        self._files = {
            path.relative_to(FOLDER).as_posix(): (path.read_bytes(), _TYPES[path.suffix])
            for path in FOLDER.rglob("*")
            if path.suffix in _TYPES
        }
        self._tags = {
            name: f'"{hashlib.sha256(content).hexdigest()[:24]}"'
            for name, (content, _) in self._files.items()
        }

    @property
    def size(self) -> int:
        """[bytes] Of all files."""
        return sum(len(content) for content, _ in self._files.values())

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with a file; only the names of files that were read exist."""
        path = request.raw_path.partition("#")[0].partition("?")[0]
        return self.answer(path.removeprefix(self.prefix), request)

    def answer(self, name: str, request: web.BaseRequest) -> web.Response:
        """Return a file by its name below the folder."""
        if name not in self._files:
            return web.Response(status=HTTPStatus.NOT_FOUND)
        content, kind = self._files[name]
        headers = {
            **_HEADERS,
            "ETag": self._tags[name],
            "Content-Security-Policy": content_security_policy(request.host),
        }
        if self._tags[name] in request.headers.get("If-None-Match", ""):
            return web.Response(status=HTTPStatus.NOT_MODIFIED, headers=headers)
        return web.Response(
            body=content,
            content_type=kind,
            charset="utf-8" if kind in _TEXTS else None,
            headers=headers,
        )

    async def close(self) -> None:
        """Close nothing: every answer is complete at once."""


class FrontRoute:
    """Answers `/` with the page for a browser, and everything else by OSCQuery.

    A browser that opens an address says that it accepts HTML; OSCQuery clients do not, ask with a
    `?`, or upgrade to a WebSocket.
    """

    prefix = "/"

    def __init__(self, query: Route, page: PageFiles) -> None:
        self.methods = query.methods
        self._query = query
        self._page = page

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer with the page or as OSCQuery does."""
        if request.raw_path != "/" or "Upgrade" in request.headers:
            return await self._query.handle(request)
        if accepts_html(request.headers.getall("Accept", [])):
            response: web.StreamResponse = self._page.answer(INDEX, request)
        else:
            response = await self._query.handle(request)
        response.headers["Vary"] = "Accept"
        return response

    async def close(self) -> None:
        """End what OSCQuery has open."""
        await self._query.close()


def accepts_html(values: list[str]) -> bool:
    """Return whether `Accept` headers name HTML, which no wildcard does."""
    kinds = (
        part.partition(";")[0].strip().lower() for value in values for part in value.split(",")
    )
    return "text/html" in kinds


def content_security_policy(host: str) -> str:
    """Return what the page may load: its own files, and its own WebSocket.

    `host` is that of the request, which has been checked: a name or an address, and a port. Older
    browsers do not count a WebSocket of the same host as `'self'`.
    """
    own_socket = f"ws://{host} wss://{host}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        f"connect-src 'self' {own_socket}; manifest-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    )
