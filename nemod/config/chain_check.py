"""Check of the chains that have a name in the configuration."""

from pathlib import Path

from nemod.chain import DEFAULT_NAME, Chain, ChainError, is_text, read_chain
from nemod.common.names import fold
from nemod.common.yaml_reader import Tree, plain
from nemod.config.checks import Check, ProblemsError, cut

MAX_CHAINS = 64
MAX_NAME = 64
"""[characters]"""


class Chains(Check):
    """Chains by name."""

    kind = "names, each with a list of slots"

    def __call__(self, given: Tree, folder: Path | None) -> tuple[tuple[str, Chain], ...]:
        """Return names and chains. Raises: ProblemsError with those of all chains."""
        if not isinstance(given, dict):
            raise ValueError("names, each with a list of slots, are expected")  # noqa: TRY004
        if len(given) > MAX_CHAINS:
            raise ValueError(f"at most {MAX_CHAINS} chains are allowed, not {len(given)}")
        chains: dict[str, Chain] = {}
        found = {fold(DEFAULT_NAME): DEFAULT_NAME}
        problems: list[str] = []
        for name, tree in given.items():
            if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
                problems.append(f"{cut(name)!r} is no name of at most {MAX_NAME} characters")
                continue
            if name.lstrip()[0] in "[{":
                problems.append(f"{cut(name)!r}: a name that begins with [ or {{ would be JSON")
                continue
            # A chain is found by its name in any case.
            same = found.setdefault(fold(name), name)
            if same == DEFAULT_NAME:
                problems.append(f"{name!r} is the name of the built-in chain")
                continue
            if same != name:
                problems.append(f"{name!r} and {same!r} are one name: case does not matter")
                continue
            try:
                chains[name] = read_chain(plain(tree, is_text), name)
            except ChainError as error:
                problems += [f"{name}: {problem}" for problem in error.problems]
        if problems:
            raise ProblemsError(problems)
        return tuple(chains.items())
