"""Data sets as people have them, read into a plan.

A folder with a manifest, a folder by the names of its files, a manifest by itself, or GuitarML's
configurations (Automated-GuitarAmpModelling: `Configs/*.json` names a recording below `Data/`, and
the parameterised one lists recordings with their knob positions).
"""

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from nemod.common.errors import ConfigError
from nemod.common.files import TooLargeError, read_text
from nemod.common.names import normal
from nemod.common.yaml_reader import MAX_FILE_BYTES, Scalar, plain, read_yaml
from trainer.data.faults import DataError, Finding, find
from trainer.data.files import existing, listed
from trainer.data.manifest import is_name, read_manifest, read_positions, refuse
from trainer.data.plan import SPLIT_WORDS, Part, Plan, Source

MANIFESTS = ("manifest.yaml", "manifest.yml", "manifest.json")
DRY_WORDS = ("dry", "input", "in", "clean", "di", "x")
WET_WORDS = ("wet", "target", "output", "out", "dirty", "y")
SOUND_ENDINGS = (".wav", ".flac", ".aif", ".aiff")
_ROLE = re.compile(rf"(?:(.*)[-_ .])?({'|'.join(DRY_WORDS + WET_WORDS)})", re.IGNORECASE)
GUITARML_VALIDATION = Part(0.2)
"""What GuitarML's tools keep of the training recording."""


def read_plan(path: Path, wet: Path | None = None) -> Plan:
    """Return the plan of a data set; each of its pairs has a unique name.

    With `wet`, the two files are a pair. Their order is corrected where both names state a role,
    as `output.wav input.wav`.

    Raises: DataError that states what was looked for, or the problem in the manifest.
    """
    plan = _read(path) if wet is None else _two_files(path, wet)
    seen: Counter[str] = Counter()
    sources = []
    for source in plan.sources:
        seen[source.name] += 1
        again = f"{source.name} ({seen[source.name]})"
        sources.append(source if seen[source.name] == 1 else replace(source, name=again))
    return replace(plan, sources=tuple(sources))


def _read(path: Path) -> Plan:
    if path.is_file():
        if path.suffix.lower() in SOUND_ENDINGS:
            problem = "one recording is not a data set; a folder, or a dry and a wet recording are"
            raise refuse(path.name, problem)
        if _is_zip(path):
            raise refuse(path.name, "this is a ZIP archive; extract it and give the folder")
        return _from_document(path)
    if not path.is_dir():
        raise DataError([find("missing-file", "", file=path)])
    manifests = [name for name in MANIFESTS if (path / name).is_file()]
    if len(manifests) > 1:
        problem = f"{' and '.join(manifests)} are in this folder; remove all but one"
        raise refuse(path.resolve().name, problem)
    if manifests:
        return _from_document(path / manifests[0])
    return Plan(path.resolve().name, _from_folder(path))


def _two_files(dry: Path, wet: Path) -> Plan:
    for path in (dry, wet):
        if not path.is_file():
            raise DataError([find("missing-file", "", file=path)])
    roles = [_role(path) for path in (dry, wet)]
    if [role and role[0] for role in roles] == ["wet", "dry"]:
        dry, wet = wet, dry
        roles.reverse()
    name = roles[1][1] if roles[1] else wet.stem
    name = name or wet.resolve().parent.name
    return Plan(name, (Source(name, dry, wet),))


def _role(path: Path) -> tuple[str, str] | None:
    """Return whether a file's name calls it `dry` or `wet`, and the rest of its name."""
    match = _ROLE.fullmatch(normal(path.stem))
    if match is None:
        return None
    return "dry" if match[2].lower() in DRY_WORDS else "wet", match[1] or ""


def _is_zip(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\3\4"
    except OSError:
        return False


def _from_document(path: Path) -> Plan:
    tree = _parse(path)
    here = path.resolve().parent
    name = here.name if path.name in MANIFESTS else path.stem
    if isinstance(tree, Mapping) and "Data Sets" in tree:
        return _parameterised(tree, path, name)
    if isinstance(tree, Mapping) and "pairs" not in tree and {"unit_type", "file_name"} & {*tree}:
        return _configured(tree, path)
    return read_manifest(tree, path.name, here, name)


def _parse(path: Path) -> object:
    if path.suffix.lower() != ".json":
        try:
            return plain(read_yaml(path), is_name)
        except ConfigError as error:
            raise refuse(path.name, "; ".join(error.problems)) from None
    try:
        tree = json.loads(
            read_text(path, MAX_FILE_BYTES),
            parse_int=lambda text: Scalar(int(text), text),
            parse_float=lambda text: Scalar(float(text), text),
        )
        return plain(tree, is_name)
    except TooLargeError as error:
        raise refuse(path.name, str(error)) from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise refuse(path.name, f"{where}: no JSON: {error.msg}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise refuse(path.name, f"no JSON: {error}") from None


def _from_folder(folder: Path) -> tuple[Source, ...]:
    """Return the pairs of a folder, by the names of its sub-folders and files."""
    sources: list[Source] = []
    for below in listed(folder):
        split = SPLIT_WORDS.get(below.name.lower())
        if split and below.is_dir():
            sources += _pairs(below, f"{below.name}/", split)
    sources += _pairs(folder, "", None)
    if not sources:
        looked = f"looked in {folder} and its sub-folders train, val and test"
        raise DataError([find("no-data", "", looked=looked)])
    return tuple(sources)


def _pairs(folder: Path, prefix: str, split: str | None) -> list[Source]:
    """Return the pairs that lie in one folder; a dry file without a name serves every wet one."""
    found: dict[str, dict[str, Path]] = {"dry": {}, "wet": {}}
    ambiguous: list[Finding] = []
    for file in listed(folder):
        named = _role(file)
        if named is None or file.suffix.lower() not in SOUND_ENDINGS:
            continue
        role, base = named
        first = found[role].setdefault(base, file)
        if first is not file:
            files = f"{first.name} and {file.name}"
            where = prefix + base if base else folder.resolve().name
            ambiguous.append(find("ambiguous", where, files=files, role=role))
    if ambiguous:
        raise DataError(ambiguous)
    dry, wet = found["dry"], found["wet"]
    lonely = [dry[base] for base in sorted(dry.keys() - wet.keys()) if base or not wet]
    lonely += [wet[base] for base in sorted(wet.keys() - dry.keys()) if "" not in dry]
    if lonely:
        raise DataError(_lonely(lonely, folder))
    return [
        Source(
            prefix + (base or folder.resolve().name if not prefix else base or "recording"),
            dry.get(base, dry.get("", file)),
            file,
            split or _split_in(base),
        )
        for base, file in wet.items()
    ]


def _lonely(files: Iterable[Path], folder: Path) -> list[Finding]:
    return [
        find("no-data", file.name, looked=f"{file.name} has no counterpart in {folder}")
        for file in files
    ]


def _split_in(base: str) -> str | None:
    """Return the split that a file's name states, as `train` or `Amp_Training`."""
    words = re.split(r"[-_ .]", base.lower())
    return next((SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS), None)


def _configured(tree: Mapping[str, Any], path: Path) -> Plan:
    """Return the plan of a GuitarML training configuration: recordings lie below `Data/`."""
    given = tree.get("file_name")
    if not isinstance(given, str) or not given:
        raise refuse(
            path.name,
            "a training configuration of GuitarML's without `file_name` names no recording",
        )
    here = path.resolve().parent
    tried = [root / "Data" for root in (here, here.parent)]
    for data in tried:
        sources = tuple(
            Source(f"{split}/{given}", dry, existing(data / split / f"{given}-target.wav"), meaning)
            for split, meaning in (("train", "train"), ("val", "validation"), ("test", "test"))
            if (dry := existing(data / split / f"{given}-input.wav")).is_file()
        )
        if sources:
            return Plan(given, sources)
    looked = " and ".join(str(data / "train" / f"{given}-input.wav") for data in tried)
    raise DataError([find("no-data", path.name, looked=f"looked for {looked}")])


def _parameterised(tree: Mapping[str, Any], path: Path, name: str) -> Plan:
    """Return the plan of GuitarML's parameterised configuration; its knobs have no names."""
    entries, count = tree["Data Sets"], tree.get("Number of Parameters", 0)
    if not isinstance(entries, list) or not isinstance(count, int) or not 0 <= count <= 64:
        raise refuse(
            path.name, "`Data Sets` (a list) and `Number of Parameters` (0 to 64) are expected"
        )
    here = path.resolve().parent
    knobs = tree.get("knobs", [f"knob{number + 1}" for number in range(count)])
    if not isinstance(knobs, list) or len({str(knob) for knob in knobs}) != count:
        raise refuse(path.name, f"`knobs`: {count} different names are expected")
    sources: list[Source] = []
    for index, entry in enumerate(entries):
        at = f"Data Sets[{index}]"
        values = entry.get("Parameters", []) if isinstance(entry, Mapping) else None
        if not isinstance(values, list) or len(values) != count:
            raise refuse(path.name, f"{at}: `Parameters` with {count} numbers is expected")
        positions = read_positions(dict(zip(knobs, values, strict=True)), path.name, at)
        for word, split in (("Training", "train"), ("Test", "test")):
            files = [entry.get(f"{word}{role}") for role in ("Clean", "Target")]
            if word == "Test" and files == [None, None]:
                continue
            if not all(isinstance(file, str) and file for file in files):
                raise refuse(path.name, f"{at}: `{word}Clean` and `{word}Target` are expected")
            dry, wet = (_near(here, str(file)) for file in files)
            # A label beside the file's name: several settings may share the dry recording.
            sources.append(Source(wet.stem, dry, wet, split, positions))
    separate = any(source.split == "test" for source in sources)
    cut = {"validation": GUITARML_VALIDATION} | ({} if separate else {"test": Part(0.1)})
    return Plan(name, tuple(sources), tuple(str(knob) for knob in knobs), cut)


def _near(here: Path, file: str) -> Path:
    """Return where a file is: GuitarML's paths start at the folder above `Configs`."""
    places = [existing(here / file), existing(here.parent / file)]
    return next((place for place in places if place.exists()), places[0])
