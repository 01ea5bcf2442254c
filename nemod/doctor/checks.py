"""All checks, in the order in which they are shown."""

from collections.abc import Callable, Iterable

from nemod.doctor import cards, interrupts, network, processor, rights, service, storage
from nemod.doctor.finding import Finding, unknown
from nemod.doctor.machine import Machine

Check = Callable[[Machine], Iterable[Finding]]

CHECKS: tuple[Check, ...] = (
    cards.check_library,
    cards.check_cards,
    cards.check_clocks,
    cards.check_servers,
    cards.check_usb,
    rights.check_nodes,
    rights.check_priority,
    rights.check_memory,
    rights.check_cpu_latency,
    processor.check_governor,
    processor.check_temperature,
    processor.check_kernel,
    interrupts.check_shared,
    interrupts.check_threaded,
    network.check_wifi,
    network.check_ports,
    storage.check_swap,
    storage.check_disk,
    storage.check_memory_size,
    service.check_service,
)


def run(machine: Machine) -> list[Finding]:
    """Return the findings of all checks.

    A check that raises becomes a finding; the others still run.
    """
    findings: list[Finding] = []
    for check in CHECKS:
        try:
            findings += check(machine)
        except Exception as error:
            name = check.__name__.removeprefix("check_")
            findings.append(unknown(name, f"the check failed: {type(error).__name__}: {error}"))
    return findings
