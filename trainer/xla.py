"""Sets the flags of the XLA compiler for training, before jax starts."""

import os

import nemod.common.xla

# The cores that this process may use, where the system reports them.
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

FLAGS = (
    # Compiles loops of any size into one function where possible: a call per step costs more.
    "--xla_backend_extra_options=xla_cpu_small_while_loop_byte_threshold=1073741824 "
    # A group of 16 lanes is one vector on processors with vectors of 512 bits.
    "--xla_cpu_prefer_vector_width=512 "
    # One device per core, over which batches are sharded; matrix products stay on their core.
    f"--xla_force_host_platform_device_count={CORES} "
    "--xla_cpu_multi_thread_eigen=false "
    # No timeout while cores wait for each other: the machine may be busy or suspended.
    "--xla_cpu_collective_call_terminate_timeout_seconds=1000000 "
    "--xla_cpu_collective_call_warn_stuck_timeout_seconds=1000000"
)


def prepare() -> None:
    """Set the variables that are not set yet; takes effect only before jax compiles anything."""
    nemod.common.xla.prepare({**nemod.common.xla.ENVIRONMENT, "XLA_FLAGS": FLAGS})
