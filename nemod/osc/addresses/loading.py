"""What models and presets have in common: stepping through a list, loading by index."""

from collections.abc import Callable, Collection

from nemod.control.controller import Controller
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.osc.addresses.leaf import Action, Leaf, Request, trigger
from nemod.osc.encode import encode
from nemod.osc.errors import OscError


def step(
    address: str,
    text: str,
    start: Callable[[Controller, Source], Job],
    *,
    listed: Callable[[Controller], Collection[object]],
    if_empty: str,
) -> Leaf:
    """Return a leaf that loads the next or previous of what is listed, as a background job."""

    def require(controller: Controller) -> None:
        if not listed(controller):
            raise OscError("not_found", address, if_empty)

    def act(request: Request) -> None:
        request.job(address, lambda: start(request.controller, request.source))

    return trigger(address, text, act, require=require)


def unless_current(
    address: str, load: Action, current: Callable[[Controller], str | None]
) -> Action:
    """Return an action that loads, unless it is `current` already: then that returns its name.

    Two clients that send each other what they receive would load it for ever.
    """

    def act(request: Request) -> None:
        name = current(request.controller)
        if name is None:
            load(request)
        else:
            request.reply(encode("/nemo/done", "ss", address, name))

    return act
