"""Chains that have a name in the configuration."""

import pytest

from nemod.chain import plain_chain
from nemod.common.yaml_reader import parse_yaml
from nemod.config.chain_check import Chains
from nemod.config.checks import ProblemsError


def test_chains_are_read_by_name() -> None:
    """A file whose name is a number in YAML is a text."""
    found = Chains()(parse_yaml("Lead: [gate, model: {file: 1959}]\ndry: [eq]", ""), None)
    assert [(name, plain_chain(chain)) for name, chain in found] == [
        ("Lead", ["gate", {"model": {"file": "1959"}}]),
        ("dry", ["eq"]),
    ]


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("Lead: [eq]\nlead: [gate]\nLEAD: [cab]", ["'lead' and 'Lead'", "'LEAD' and 'Lead'"]),
        ("Stra\u00dfe: [eq]\nSTRASSE: [eq]", ["'STRASSE' and 'Stra\u00dfe'"]),
        ("default: [eq]", ["'default' is the name of the built-in chain"]),
        ("dry: [eq]\nDefault: [eq]", ["'Default' is the name of the built-in chain"]),
    ],
)
def test_a_chain_that_could_not_be_named_is_reported(text: str, problems: list[str]) -> None:
    """A chain is found by its name in any case, so another one of that name is never played."""
    with pytest.raises(ProblemsError) as raised:
        Chains()(parse_yaml(text, ""), None)
    assert len(raised.value.problems) == len(problems)
    for problem, expected in zip(raised.value.problems, problems, strict=True):
        assert problem.startswith(expected)
