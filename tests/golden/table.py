"""Compares the kernels with other engines by family, and lists which files are read.

    python tests/golden/table.py [--out docs/references.md]

Needs the shared data (`NEMOD_SHARED`, or the folder `shared` beside the repository).
"""

# ruff: noqa: T201 - a script prints

import argparse
import json
import os
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from nemod.common import xla  # noqa: E402

xla.prepare()

from nemod.common.errors import ModelError  # noqa: E402
from nemod.formats import Model, load_model  # noqa: E402
from nemod.formats.model import without_gains  # noqa: E402
from nemod.fx.nn.neural import model_weights, neural  # noqa: E402
from tests.golden.conftest import Case  # noqa: E402
from tests.golden.test_released import AUDIO_VECTORS, _with_fast_tanh  # noqa: E402

Array = NDArray[np.float32]
DATA = Path(os.environ.get("NEMOD_SHARED", ROOT.parent / "shared")) / "data"
BLOCKS = (64, 65)
TOLERANCE = 1e-5
COMMAND = "python tests/golden/table.py"

FAMILIES = {
    "aga": "GuitarML and the paper",
    "keras": "RTNeural and AIDA-X",
    "embedded": "vectors inside AIDA-X files",
    "rtneural_vectors": "RTNeural's own vectors",
    "nam": "NAM",
    "wnva": "PedalNet, SmartGuitarAmp, WaveNetVA",
    "thirdparty": "recordings published with papers",
}
FORMATS = {
    "aga": "GuitarML",
    "aga_blocks_old": "GuitarML of 2020, sizes without weights",
    "keras": "RTNeural, AIDA-X",
    "keras_multi": "several RTNeural models in one file",
    "nam": "NAM",
    "wavenetva": "PedalNet, WaveNetVA",
    "smartamppro": "SmartAmpPro (plays windows)",
    "torch_state_dict": "bare tensors",
    "train_config": "training configurations",
    "malformed": "not JSON",
}


class Result(NamedTuple):
    """The result of one case, at the worst block size."""

    case: str
    error: float
    """Largest difference, relative to the output's peak where that is above 1."""
    allowed: float

    @property
    def share(self) -> float:
        """The error as a share of what is allowed."""
        return self.error / self.allowed


def play(model: Model, controls: Array, inputs: Array, block: int) -> Array:
    """Return the network's output, block after block in one scan."""
    effect = neural(model)
    whole = len(inputs) // block

    def run(weights: Any, controls: Any, inputs: Any) -> Any:
        moves = controls.reshape(controls.shape[0], whole, block).transpose(1, 0, 2)

        def step(state: Any, piece: Any) -> Any:
            return effect.process(weights, piece[1], state, piece[0])

        state = effect.init(weights, controls[:, 0])
        return jax.lax.scan(step, state, (inputs.reshape(whole, block), moves))[1].reshape(-1)

    cut = whole * block
    out = jax.jit(run)(model_weights(model), controls[:, :cut], jnp.asarray(inputs[:cut]))
    return np.asarray(out)


def measured(family: str, case: Case, block: int) -> Result:
    """Return the error of a case in the section where engines can be compared."""
    model = load_model(case.model_path)
    facts = case.facts
    inputs, controls, skipped = case.inputs, None, 0
    semantics = str(facts["semantics"])
    if family == "embedded" or (family == "keras" and "NOT applied" in semantics):
        model = without_gains(model)
    if family == "nam":
        if "fasttanh" in case.name:
            model = replace(model, network=_with_fast_tanh(model.network))
        skipped = model.prewarm_frames if case.name.endswith("_prewarm") else 0
        inputs = np.concatenate([np.zeros(skipped, np.float32), inputs])
        controls = np.zeros((0, len(inputs)), np.float32)
    elif family == "rtneural_vectors":
        block = {64: 64, 65: 7}[block]
        controls = np.zeros((0, len(inputs)), np.float32)
    moves = case.controls(model) if controls is None else controls
    out = play(model, moves, inputs, block)[skipped:]
    scale = 0.5 if "0.5 * model" in semantics else 1.0
    error = np.abs(scale * out - case.output[: len(out)])
    peak = max(1.0, float(np.abs(case.output).max()))
    compared, allowed = stretch(family, case)
    return Result(case.name, float(error[compared].max()) / peak, allowed)


def stretch(family: str, case: Case) -> tuple[slice, float]:
    """Return which frames of a case are compared, and the tolerance, as in the tests."""
    facts = case.facts
    match family:
        case "aga" | "keras":
            return slice(case.guitar_frames), max(TOLERANCE, case.guitar_spread)
        case "nam":
            own = float(facts["check"]["max_abs_diff_vs_numpy_float64"])
            return slice(case.guitar_frames), TOLERANCE + own
        case "wnva":
            return slice(case.guitar_frames), TOLERANCE
        case "embedded":
            return slice(None), 2e-5
        case "rtneural_vectors":
            return slice(None), float(facts["rtneural_test_threshold"])
        case _:
            return slice(facts["compare_from"], None), float(facts["compare_tolerance"])


def results(family: str, cases: list[dict[str, Any]]) -> list[Result]:
    """Return the worst result over the block sizes, for every case of a family that is audio."""
    found = []
    for facts in cases:
        case = Case(facts, DATA)
        if family == "rtneural_vectors" and case.name.split("/")[1] not in AUDIO_VECTORS:
            continue
        if family == "keras" and case.outputs != 1:  # refused, see the list of files below
            continue
        found.append(max((measured(family, case, block) for block in BLOCKS), key=_error))
        print(f"{found[-1].case}: {found[-1].error:.1e} of {found[-1].allowed:.1e}", flush=True)
    return found


def _error(result: Result) -> float:
    return result.error


def _of_family(case: str) -> str:
    return next(family for family in FAMILIES if case.startswith(family))


def errors_table() -> list[str]:
    """Return the table of the worst error of each family."""
    manifest = json.loads((DATA / "reference" / "manifest.json").read_text())
    groups: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for facts in manifest["cases"]:
        groups[_of_family(facts["case"])].append(facts)
    lines = [
        "| family | cases | largest error | its tolerance | in | nearest to its tolerance | in |",
        "|---|--:|--:|--:|---|--:|---|",
    ]
    for family, label in FAMILIES.items():
        found = results(family, groups[family])
        worst = max(found, key=_error)
        nearest = max(found, key=lambda result: result.share)
        lines.append(
            f"| {label} | {len(found)} | {worst.error:.1e} | {worst.allowed:.1e} | `{worst.case}` "
            f"| {nearest.share:.0%} | `{nearest.case}` |"
        )
    return lines


def files_table() -> tuple[list[str], list[str]]:
    """Return the table of files read and refused beside the peers', and the refusals."""
    manifest = json.loads((DATA / "models" / "manifest.json").read_text())
    ours: Counter[tuple[str, bool]] = Counter()
    peers: Counter[tuple[str, str]] = Counter()
    refusals = []
    files = sorted(path for path in (DATA / "models").rglob("*") if path.is_file())
    for file in files:
        name = str(file.relative_to(DATA))
        if file.name == "manifest.json":
            continue
        facts = manifest.get(name, {})
        kind = facts.get("format") or Path(name).parts[1]
        try:
            load_model(DATA / name)
        except ModelError as error:
            ours[kind, False] += 1
            reason = str(error).replace(str(DATA) + "/", "").replace("|", "\\|")
            refusals.append(f"* `{Path(name).name}` ({FORMATS.get(kind, kind)}): {reason}")
        else:
            ours[kind, True] += 1
        check = str(facts.get("peer_check") or "")
        peers[kind, check.rpartition(": ")[2]] += 1
    lines = [
        "| family | files | read here | refused here | read by the peer "
        "| not tried or refused by the peer |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for kind in dict.fromkeys([*FORMATS, *(kind for kind, _ in ours)]):
        count = ours[kind, True] + ours[kind, False]
        if count:
            lines.append(
                f"| {FORMATS.get(kind, kind)} | {count} | {ours[kind, True]} | {ours[kind, False]} "
                f"| {peers[kind, 'loads']} | {count - peers[kind, 'loads']} |"
            )
    return lines, refusals


def main() -> int:
    """Write the page; return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "references.md")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        print(f"{DATA}: the shared data (models, reference outputs) is absent", file=sys.stderr)
        return 1
    errors = errors_table()
    files, refusals = files_table()
    page = f"""# Comparison with other engines

Made by `{COMMAND}`; the same cases are tests in `tests/golden`.

## Worst error per family

Each case is played in blocks of {" and ".join(map(str, BLOCKS))} frames (RTNeural's own vectors
in 64 and 7), and the larger error counts. Errors are the largest differences between samples,
relative to the output's peak where that is above 1. Released recurrent models and NAM's are
compared on guitar: on noise and overdriven sweeps some models amplify rounding errors, so that
engines differ from each other even in float64. The tolerance of a case is {TOLERANCE:g}, or the
difference that was measured between float32 engines on this case.

{chr(10).join(errors)}

## Files read and refused

The peers are RTNeural's loaders for the files of GuitarML and RTNeural, and NAM's core for those
of NAM.

{chr(10).join(files)}

Refused files and the error messages:

{chr(10).join(refusals)}
"""
    arguments.out.write_text(page)
    print(page)
    return 0


if __name__ == "__main__":
    sys.exit(main())
