"""Errors of the OSC surface: those of the control core with an address, and those of OSC itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from nemod.common.errors import NemodError
from nemod.control.errors import Code, ControlError


class OscError(NemodError):
    """A message that was understood as OSC but cannot be carried out.

    `code` is one of the codes of the control contract: address, type, args, value, not_found,
    busy, io, denied, readonly, writeonly, tx, rate, limit.
    """

    def __init__(
        self, code: str, address: str, text: str, hint: Callable[[], str] = lambda: ""
    ) -> None:
        """`address`: what was sent. `text`: what is allowed there. `hint`: see `ControlError`."""
        self.code = code
        self.address = address
        self.text = text
        self.hint = hint
        super().__init__(f"{address}: {text}")


@contextmanager
def errors_at(address: str) -> Iterator[None]:
    """Give errors of the core that are raised inside the block an address. Raises: OscError."""
    try:
        yield
    except ControlError as error:
        raise with_address(error, address) from None


def with_address(error: ControlError, address: str) -> OscError:
    """Return an error of the core as the answer to a message that was sent to `address`."""
    code = "address" if error.code is Code.UNKNOWN else str(error.code)
    return OscError(code, address, error.text, error.hint)
