"""`nemod doctor`: its exit status, its text and its JSON."""

import json

import pytest

from nemod.doctor.finding import advice, ok, problem
from tests.cli.conftest import Nemod

WELL = [ok("cards", "all is well"), advice("swap", "on a card", "swapoff")]
ILL = [*WELL, problem("ports", "UDP port 9000 is used", "stop it")]


@pytest.mark.parametrize(("findings", "status"), [(WELL, 0), (ILL, 1)])
def test_the_exit_status_says_whether_there_is_a_problem(
    nemod: Nemod, monkeypatch: pytest.MonkeyPatch, findings: list[object], status: int
) -> None:
    """Advice does not count; what is well is shown on demand."""
    monkeypatch.setattr("nemod.cli.doctor.run", lambda machine: findings)
    outcome = nemod("doctor")
    assert outcome.status == status
    assert "swap: on a card" in outcome.out
    assert "-> swapoff" in outcome.out
    assert "all is well" not in outcome.out
    assert "all is well" in nemod("doctor", "--all").out
    answer = json.loads(nemod("doctor", "--json").out)
    assert answer["problems"] == status
    assert answer["findings"][1] == {
        "check": "swap",
        "level": "advice",
        "text": "on a card",
        "remedy": "swapoff",
    }


def test_the_checks_run_on_this_machine(nemod: Nemod) -> None:
    """Whatever it is: every check has an answer, and none fails."""
    outcome = nemod("doctor", "--json", "--port", "0")
    answer = json.loads(outcome.out)
    assert outcome.status == (1 if answer["problems"] else 0)
    names = {finding["check"] for finding in answer["findings"]}
    assert {"libasound", "cards", "realtime-priority", "governor", "swap", "disk"} <= names
    assert not [one for one in answer["findings"] if "the check failed" in one["text"]]
