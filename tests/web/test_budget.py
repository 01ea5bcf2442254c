"""Budgets: what one client may cost."""

import pytest

from nemod.web.budget import Budget, Budgets


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_budget_is_overdrawn_once_and_refills() -> None:
    """10 a second, 20 at once: after 30, nothing for one second."""
    clock = Clock()
    budget = Budget(10.0, 20.0, clock)
    assert budget.wait_s() == 0.0
    budget.spend(30.0)
    assert budget.wait_s() == pytest.approx(1.0)
    clock.now_s += 0.4
    assert budget.wait_s() == pytest.approx(0.6)
    clock.now_s += 0.6
    assert budget.wait_s() == 0.0
    clock.now_s += 1e6
    budget.spend(21.0)
    assert budget.wait_s() == pytest.approx(0.1)


def test_the_least_recently_used_host_is_dropped() -> None:
    """So many hosts cannot fill the memory."""
    made: list[str] = []

    def make(host: str) -> Budget:
        made.append(host)
        return Budget(1.0, 1.0)

    budgets = Budgets(2, make)
    first = budgets.of("a")
    budgets.of("b")
    assert budgets.of("a") is first
    budgets.of("c")
    assert budgets.of("a") is first
    budgets.of("b")
    assert made == ["a", "b", "c", "b"]
