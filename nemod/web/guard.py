"""Decides which connections and requests are served, before anything else looks at them.

The source addresses served are those that OSC serves. A `Host` that does not name this machine
means DNS rebinding: a page has pointed its own name here. Browsers let any page open a WebSocket to
any server, so an upgrade from another origin is refused too; clients that are not browsers send no
`Origin`. There are no CORS headers: a page of another origin cannot read an answer.
"""

from collections.abc import Sequence
from urllib.parse import urlsplit

from nemod.network.access import Access
from nemod.network.hosts import LocalHosts, parse_host
from nemod.network.interfaces import Address


class Guard:
    """Checks source addresses, `Host` and `Origin`. Thread: control."""

    def __init__(
        self,
        access: Access,
        allow_hosts: Sequence[str] = (),
        *,
        hosts: LocalHosts | None = None,
    ) -> None:
        """`allow_hosts`: names and addresses besides those of this machine, and their origins.

        `hosts`: names and addresses of the machine. Raises: ConfigError for an invalid entry.
        """
        self._access = access
        self._hosts = hosts or LocalHosts(allow_hosts)
        self._allowed = {parse_host(text.strip()) for text in allow_hosts}

    def admits(self, address: Address) -> bool:
        """Return whether connections from this address are served."""
        return self._access.allows(address)

    def is_host(self, values: Sequence[str]) -> bool:
        """Return whether the `Host` headers of a request are one, and name this machine."""
        return len(values) == 1 and self._hosts.is_local(values[0])

    def is_origin(self, values: Sequence[str], host: str) -> bool:
        """Return whether a page of this `Origin` may use the server that is addressed as `host`."""
        if not values:
            return True
        if len(values) > 1:
            return False
        try:
            origin = urlsplit(values[0])
            name = origin.hostname
        except ValueError:
            return False
        if origin.scheme not in ("http", "https") or not name:
            return False
        if origin.scheme == "http" and origin.netloc.lower() == host.lower():
            return True
        return parse_host(f"[{name}]" if ":" in name else name) in self._allowed
