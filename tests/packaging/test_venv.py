"""./run and ./train create their environment, and repair it after what happens to folders."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.packaging.conftest import Project, base_python

pytestmark = pytest.mark.slow


def test_what_is_current_is_left_alone(ready: Project) -> None:
    """The second start installs nothing and says nothing."""
    done = ready.run("--seconds", "2")
    assert (done.stdout, done.stderr) == (ready.plays("--seconds", "2"), "")


def test_a_moved_folder_is_repaired(moved: Project) -> None:
    """The programs of the environment and its activation work at the new place."""
    done = moved.run()
    assert done.stdout == moved.plays(), done.stderr
    assert "because the folder was moved" in done.stderr
    bin_folder = moved.root / ".venv/bin"
    assert str(bin_folder.parent) in moved.call(bin_folder / "pip", "--version").stdout
    line = f'. "{bin_folder}/activate"; command -v nemod'
    assert moved.call("/bin/sh", "-c", line).stdout == f"{bin_folder}/nemod\n"


@pytest.mark.long
def test_a_copy_leaves_the_first_folder_alone(made: Project, ready: Project) -> None:
    """A copied environment does not depend on the one that it was copied from, nor change it."""
    assert made.run().stdout == made.plays()
    for path in (ready.root / ".venv").rglob("*"):
        if path.is_file() and path.suffix not in (".pyc", ".exe") and not path.is_symlink():
            assert os.fsencode(f"{made.root}/") not in path.read_bytes(), path


@pytest.mark.parametrize("name", ["it's two  words, Gitärre 吉他 [1] $HOME", "x" * 120])
def test_any_folder_name_will_do(moved: Project, name: str) -> None:
    """Spaces, other alphabets, signs that a shell knows, and long names."""
    other = Project(moved.root.with_name(name))
    moved.root.rename(other.root)
    done = other.run("a b", LANG="C")
    assert done.stdout == other.plays("a b"), done.stderr
    assert other.run().stderr == ""


@pytest.mark.long
def test_the_scripts_are_found_through_links(ready: Project, tmp_path: Path) -> None:
    """Absolute, relative and chained symbolic links, and through the PATH."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "absolute").symlink_to(ready.root / "run")
    (programs / "relative").symlink_to("../rig/run")
    (programs / "chained").symlink_to("relative")
    (tmp_path / "link").symlink_to("rig")
    for path in (*programs.iterdir(), tmp_path / "link/run"):
        assert ready.call(path).stdout == ready.plays(), path
    found = ready.call("/bin/sh", "-c", "chained", PATH=f"{programs}:{os.environ['PATH']}")
    assert found.stdout == ready.plays()
    assert ready.call("/bin/sh", "run").stdout == ready.plays()


@pytest.mark.long
def test_the_environment_is_made_again_when_its_python_is_gone(ready: Project) -> None:
    """A dangling link to the Python that the system has removed is no dead end."""
    for name in ("python", "python3"):
        link = ready.root / ".venv/bin" / name
        link.unlink()
        link.symlink_to("/nonexistent/python3")
    done = ready.run()
    assert done.stdout == ready.plays(), done.stderr
    assert "was removed" in done.stderr


def other_python() -> str:
    """Return the path of a Python of another version; skip where there is none."""
    own = os.path.realpath(base_python())
    folders = [*os.environ["PATH"].split(os.pathsep), *Path.home().glob(".pyenv/versions/*/bin")]
    for version in ("3.11", "3.12", "3.13", "3.14"):
        for folder in folders:
            path = Path(folder, f"python{version}")
            if os.path.realpath(path) != own and not own.endswith(version) and path.exists():
                started = subprocess.run([path, "-c", ""], capture_output=True)
                if started.returncode == 0:
                    return str(path)
    pytest.skip("no second version of Python on this machine")


@pytest.mark.long
def test_the_environment_is_made_again_after_an_upgrade_of_python(
    ready: Project,
) -> None:
    """The Python to which the environment's link leads does not see the packages of the older."""
    python = ready.root / ".venv/bin/python3"
    python.unlink()
    python.symlink_to(other_python())
    done = ready.run()
    assert done.stdout == ready.plays(), done.stderr
    assert "was upgraded" in done.stderr
    assert ready.run().stderr == ""


@pytest.mark.long
def test_python_chooses_the_python(ready: Project) -> None:
    """PYTHON wins over the one that made the environment; what is not a Python is named."""
    assert ready.run(PYTHON=base_python()).stderr == ""
    other = other_python()
    done = ready.run(PYTHON=other)
    assert done.stdout == ready.plays(), done.stderr
    assert [path.name for path in (ready.root / ".venv/lib").iterdir()] == [Path(other).name]
    wrong = ready.run(PYTHON="/bin/false")
    assert wrong.returncode == 1
    assert wrong.stderr == "nemod: PYTHON is '/bin/false', which is not Python 3.11 or newer\n"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_interrupted_creation_starts_afresh(project: Project, number: int) -> None:
    """What was there when the process died is not taken for an environment."""
    process = subprocess.Popen(
        [project.root / "run"],
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while not (project.root / ".venv/bin/python").exists():
        assert process.poll() is None
        time.sleep(0.01)
    os.killpg(process.pid, number)
    assert process.wait(60) == {signal.SIGKILL: -signal.SIGKILL, signal.SIGINT: 130}[number]
    if number == signal.SIGINT:
        assert not (project.root / ".venv").exists()
    else:
        done = project.run()
        assert done.stdout == project.plays(), done.stderr


def test_a_failed_creation_leaves_nothing(project: Project) -> None:
    """The reason is shown, and no half environment stays."""
    (project.root / "backend.py").write_text("raise OSError('no room')", encoding="utf-8")
    done = project.run()
    assert done.returncode == 1
    assert "no room" in done.stderr
    assert "nemod: the installation failed" in done.stderr
    assert not (project.root / ".venv").exists()


@pytest.mark.long
def test_a_failed_update_leaves_the_environment_as_it_was(ready: Project) -> None:
    """Who can play but has no network for the training packages can play afterwards, too."""
    (ready.root / "backend.py").write_text("raise OSError('no network')", encoding="utf-8")
    done = ready.call(ready.root / "train")
    assert done.returncode == 1
    assert "no network" in done.stderr
    after = ready.run()
    assert (after.stdout, after.stderr) == (ready.plays(), "")


@pytest.mark.long
def test_a_python_without_venv_is_explained(project: Project, tmp_path: Path) -> None:
    """Debian's python3 without python3-venv leaves half an environment and fails."""
    programs = tmp_path / "programs"
    programs.mkdir()
    python = programs / "python3"
    # Debian's message and remains; `ensurepip` is what the missing package holds.
    python.write_text(
        f"""#!/bin/sh
case "$*" in
*ensurepip,*) exit 1 ;;
*"-m venv"*)
    for folder; do :; done
    mkdir -p "$folder/bin"
    ln -s "{base_python()}" "$folder/bin/python"
    echo "The virtual environment was not created successfully because ensurepip is not available."
    exit 1 ;;
*_base_executable*) echo "{python}" ;;
*) exec "{base_python()}" "$@" ;;
esac
""",
        encoding="utf-8",
    )
    python.chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    for _ in range(2):
        done = project.run(PATH=path)
        assert done.returncode == 1
        assert "apt install python3-venv" in done.stderr
        assert not (project.root / ".venv").exists()


def test_two_at_once_make_one_environment(project: Project) -> None:
    """The second waits for the first, and then finds all in place."""
    processes = [
        subprocess.Popen(
            [project.root / "run"],
            env=project.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    played, reports = zip(*(process.communicate(timeout=300) for process in processes), strict=True)
    assert played == (project.plays(),) * 2, reports
    assert "".join(reports).count("nemod: creating") == 1
    assert "".join(reports).count("nemod: waiting for another installation") == 1


@pytest.mark.long
def test_a_folder_that_cannot_be_written_is_explained(project: Project) -> None:
    """The message names the way out, which works."""
    done = project.run(NEMOD_VENV="/proc/nemod")
    assert done.returncode == 1
    assert "/proc/nemod cannot be created; set NEMOD_VENV to a folder" in done.stderr
    place = project.root.parent / "zwei Wörter"
    done = project.run(NEMOD_VENV="../zwei Wörter")
    assert done.stdout == project.plays(venv=place), done.stderr
    assert project.call(place / "bin/nemod").stdout == project.plays(venv=place)
    assert not (project.root / ".venv").exists()


@pytest.mark.long
def test_other_folders_are_not_deleted(project: Project) -> None:
    """Only an environment or an empty folder is replaced."""
    kept = project.root / "songs"
    kept.mkdir()
    (kept / "song.wav").touch()
    done = project.run(NEMOD_VENV="songs")
    assert done.returncode == 1
    assert "is not a Python environment" in done.stderr
    assert [path.name for path in kept.iterdir()] == ["song.wav"]


@pytest.mark.long
def test_an_extra_is_installed_once(ready: Project) -> None:
    """The packages for tests include those for training, and these those for playing."""
    installing = "installing what is missing"
    assert installing in ready.make("train").stderr
    assert installing in ready.make("test").stderr
    for extra in ("test", "train", ""):
        assert ready.make(extra).stderr == ""
    with (ready.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    assert installing in ready.run().stderr
    assert ready.make("test").stderr == ""


@pytest.mark.long
def test_new_versions_are_installed(ready: Project) -> None:
    """A change of the tested versions reaches the environment at the next start."""
    folder = ready.root / "constraints"
    folder.mkdir()
    version = Path(next((ready.root / ".venv/lib").iterdir())).name.removeprefix("python")
    (folder / f"{version}.txt").write_text("nemod==0.1.0\n", encoding="utf-8")
    assert "installing what is missing" in ready.run().stderr
    assert ready.run().stderr == ""


def test_a_python_with_tested_versions_is_preferred(project: Project, tmp_path: Path) -> None:
    """A python3 that is too new for the tested versions gives way to one that has them."""
    other = Path(other_python())
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "python3").symlink_to(base_python())
    (programs / other.name).symlink_to(other)
    (project.root / "constraints").mkdir()
    (project.root / f"constraints/{other.name.removeprefix('python')}.txt").touch()
    line = '. scripts/venv.sh; root=$PWD versions=""; find_python'
    done = project.call("/bin/sh", "-c", line, PATH=f"{programs}:/usr/bin:/bin")
    # Some versions print the path that they were called by, others the one behind links.
    assert Path(done.stdout.strip()).resolve() == other.resolve(), done.stderr
