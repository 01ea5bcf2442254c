"""The chain that plays: set it, and add, remove, move or replace its slots. Thread: control.

Each is a job: the rig is built and verified, and the sound is as before until it is heard.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from nemod.chain import (
    CABINET,
    DEFAULT_CHAIN,
    DEFAULT_NAME,
    MODEL,
    Chain,
    ChainError,
    Slot,
    Split,
    edit,
    read_chain,
)
from nemod.common.names import fold
from nemod.control.backends import NO_FILE, RigFiles, RigPlan, Scope, SlotFile
from nemod.control.errors import Code, ControlError
from nemod.control.events import Source
from nemod.control.jobs import Job
from nemod.control.rig_jobs import RigJobs
from nemod.control.similar_names import similar_name
from nemod.control.slot_files import ENABLE, SlotFiles
from nemod.parameters.slot_paths import slot_path

CHAIN_JOB = "chain"
MAX_WAITING = 16
"""Most edits of the chain that wait."""

_Edit = Callable[[Chain], edit.Edited]
_T = TypeVar("_T")


class Chains:
    """The chain that plays, and the named chains of the configuration."""

    def __init__(
        self,
        jobs: RigJobs,
        *,
        models: SlotFiles,
        cabinets: SlotFiles,
        named: Mapping[str, Chain],
    ) -> None:
        self._jobs = jobs
        self._libraries = {MODEL: models, CABINET: cabinets}
        self.named: Mapping[str, Chain] = {DEFAULT_NAME: DEFAULT_CHAIN, **named}
        """Chains that can be set by name."""
        self._edits: list[Job] = []

    @property
    def current(self) -> Chain:
        """The chain that plays, with the names of its files."""
        return self._jobs.chain

    # --- from text -------------------------------------------------------------------------------

    def parse(self, text: str) -> Chain:
        """Return the chain in a JSON text, or the one that has this name in the configuration.

        Raises: ControlError `value` for JSON that is no chain, with the problem of each slot, and
        `not_found` for an unknown name.
        """
        if text.lstrip()[:1] in ("[", "{"):
            return _checked(lambda: read_chain(_json(text)))
        for name, chain in self.named.items():
            if fold(name) == fold(text):
                return chain
        raise ControlError(
            Code.NOT_FOUND,
            text[:120],
            f"no chain is named {text[:120]!r}; there are {', '.join(self.named)}, and JSON is a "
            "list of slots",
            lambda: similar_name(text, self.named),
        )

    # --- jobs ------------------------------------------------------------------------------------

    def set(self, chain: Chain, source: Source) -> Job:
        """Start to play a chain; positions stay with slots of the same name and kind.

        The job ends with the names of the slots. Raises: ControlError `not_found` for a file that
        is not in its library, with the name of the slot.
        """
        plan = self.plan(chain, source)
        return self._jobs.start(CHAIN_JOB, plan, plan.subject, source, Scope.CHAIN)

    def plan(self, chain: Chain, source: Source) -> RigPlan:
        """Return the plan to play a chain. Raises: ControlError `not_found`."""
        rig = self._found(chain)
        cabinets = [slot for slot in rig.chain.of_kind(CABINET) if slot.name in rig.paths]
        before = self.current
        new = [
            slot
            for slot in cabinets
            if slot.name not in before or before[slot.name].file != slot.file
        ]
        return RigPlan(
            subject=" ".join(slot.name for slot in chain),
            rig=rig,
            fills=frozenset(rig.slots),
            switched=_switched_on(rig.chain, [slot.name for slot in new]),
            source=source,
        )

    def add(self, item: Slot | Split, where: edit.Where, source: Source) -> Job:
        """Start to add a slot; `where`: see `nemod.chain.edit.Where`.

        The job ends with the name of the slot, as that of `move` and `replace`. Raises:
        ControlError `value` where that makes no chain, `not_found`, `limit`.
        """
        return self._edit(item.name, partial(edit.add, item=item, where=where), item, source)

    def remove(self, name: str, source: Source) -> Job:
        """Start to remove a slot, a split with its branches. Raises: ControlError."""
        return self._edit(name, partial(edit.remove, name=name), None, source)

    def move(self, name: str, where: edit.Where, source: Source) -> Job:
        """Start to move a slot; its positions stay. Raises: ControlError."""
        return self._edit(name, partial(edit.move, name=name, where=where), None, source)

    def replace(self, name: str, item: Slot | Split, source: Source) -> Job:
        """Start to put another slot in the place of one. Raises: ControlError."""
        return self._edit(item.name, partial(edit.replace, name=name, item=item), item, source)

    def _edit(self, subject: str, change: _Edit, item: Slot | Split | None, source: Source) -> Job:
        found = self._found(Chain((item,))) if item is not None else RigFiles(chain=Chain(()))
        self._edits = [job for job in self._edits if not job.is_over]
        if len(self._edits) >= MAX_WAITING:
            text = f"{MAX_WAITING} changes of the chain wait already"
            raise ControlError(Code.LIMIT, subject, text)
        if not self._edits:
            # With others under way, the chain to which it is applied is not yet known.
            _checked(lambda: change(self.current))

        def planned(rig: RigFiles) -> RigPlan:
            chain, renamed = _checked(lambda: change(rig.chain))
            changed = rig.in_chain(chain, renamed)
            for name, path in found.paths.items():
                changed = changed.with_file(name, SlotFile(found.chain[name].file, path))
            cabinets = [slot.name for slot in found.chain.of_kind(CABINET)]
            return RigPlan(
                subject=renamed.get(subject, subject),
                rig=changed,
                fills=frozenset(found.slots),
                renamed=renamed,
                switched=_switched_on(chain, [name for name in cabinets if name in found.paths]),
                source=source,
            )

        job = self._jobs.start(CHAIN_JOB, planned, subject, source, Scope.EDIT)
        self._edits.append(job)
        return job

    def _found(self, chain: Chain) -> RigFiles:
        """Return a chain with its files found in the libraries. Raises: ControlError."""
        rig = RigFiles(chain=chain)
        for slot in chain:
            library = self._libraries.get(slot.kind)
            if library is None:
                continue
            try:
                file = library.file(slot.file) if slot.file else NO_FILE
            except ControlError as error:
                text = f"slot {slot.name!r}: {error.text}"
                raise ControlError(error.code, slot.name, text, error.hint) from None
            rig = rig.with_file(slot.name, file)
        return rig


def read_slot(name: str, content: str = "") -> Slot | Split:
    """Return the slot with this name, and the content in a JSON text, if there is one.

    The name may also be JSON of both, `{"pedal": {"kind": "model"}}`. Raises: ControlError `value`.
    """
    data: object = {name: _json(content)} if content.strip() else name
    if name.lstrip().startswith("{") and not content.strip():
        data = _json(name)
    return _checked(lambda: edit.read_item(data))


def _switched_on(chain: Chain, cabinets: Sequence[str]) -> dict[str, float]:
    """Return the positions that switch cabinets on: one that is loaded is heard."""
    return {slot_path(chain, name, ENABLE): 1.0 for name in cabinets}


def _json(text: str) -> object:
    """Return what a JSON text holds. Raises: ControlError `value`."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ControlError(Code.VALUE, "", f"not JSON: {error}") from None


def _checked(work: Callable[[], _T]) -> _T:
    """Return what `work` returns; errors of chains become those of the core."""
    try:
        return work()
    except ChainError as error:
        raise ControlError(Code.VALUE, "", "; ".join(error.problems)) from None
