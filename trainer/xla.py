"""How XLA compiles for training: the environment that must be set before jax starts."""

import os

import nemod.common.xla

# The cores that this process may use, where the system tells.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

FLAGS = (
    # Loops of any size are compiled whole into one function where they can be.
    "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1073741824 "
    # A group of lanes is one vector where the processor has vectors of 512 bits.
    "--xla_cpu_prefer_vector_width=512 "
    # A device per core, over which batches are dealt out; matrix products stay on their core.
    f"--xla_force_host_platform_device_count={CORES} "
    "--xla_cpu_multi_thread_eigen=false "
    # Cores wait for each other as long as it takes: the machine may be busy, or asleep.
    "--xla_cpu_collective_call_terminate_timeout_seconds=1000000 "
    "--xla_cpu_collective_call_warn_stuck_timeout_seconds=1000000"
)


def prepare() -> None:
    """Set what is not set yet; has an effect only before jax compiles for the first time."""
    nemod.common.xla.prepare({**nemod.common.xla.ENVIRONMENT, "XLA_FLAGS": FLAGS})
