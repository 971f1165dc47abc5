"""The repository as a whole: sizes and names of files, first lines, and nothing that belongs to one machine."""

import ast
import os
import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("protocol", "firmware_model", "emulator")
MAX_LINES = 500

# Names that say nothing about the purpose of a file, and so attract every purpose.
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "managers"}

# Installed or built by somebody's machine, and never a source.
LEFTOVER_SUFFIXES = {".pth", ".pyc", ".pyo", ".so", ".whl", ".egg", ".orig", ".rej"}

# Pins are good against any index, and paths in any checkout. The expressions are written so as not to match themselves.
FOREIGN = {
    "host of a package index": re.compile(
        r"pypi\.(?:org|io)|pythonhosted\.org|registry\.npmjs|registry\.yarnpkg|crates\.io/api|proxy\.golang"
        r"|artifactory\.|devpi\.|/simple/\s",
        re.IGNORECASE,
    ),
    "option that names a package index": re.compile(
        # The options of scripts/lock that keep an address out of the pins are welcome.
        r"(?<!emit)-(?:index[-]url|find[-]links|trusted[-]host)|\b(?:PIP|UV)_(?:EXTRA_)?INDEX"
    ),
    "path on one machine": re.compile(
        r"(?<![\w$.}~)/-])/(?:home|Users|root|work|mnt|srv|opt)/\w|\b[A-Z]:\\+(?:Users|Windows)\b"
    ),
}


@cache
def repository_files() -> tuple[Path, ...]:
    """Every file that is, or with the next `git add` would be, in the repository."""
    try:
        listing = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        ).stdout
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("needs git and a git checkout to tell sources from leftovers")
    paths = (ROOT / os.fsdecode(name) for name in listing.split(b"\0") if name)
    # A file that was deleted stays in the listing until the deletion is committed.
    return tuple(sorted(path for path in paths if path.is_file()))


def package_modules() -> list[Path]:
    return [path for path in repository_files() if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in PACKAGES]


def listed(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@cache
def texts() -> tuple[tuple[Path, str], ...]:
    found = []
    for path in repository_files():
        try:
            found.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue  # a capture, a picture
    return tuple(found)


def test_no_module_is_too_long() -> None:
    assert listed([p for p in package_modules() if len(p.read_bytes().splitlines()) > MAX_LINES]) == []


def test_every_module_says_its_purpose_in_its_first_line() -> None:
    silent = []
    for path in package_modules():
        docstring = ast.get_docstring(ast.parse(path.read_bytes())) or ""
        if len(docstring.partition("\n")[0].split()) < 3:
            silent.append(path)
    assert listed(silent) == []


def test_no_file_or_directory_has_a_vague_name() -> None:
    vague = [
        path
        for path in repository_files()
        if VAGUE_NAMES.intersection(part.partition(".")[0].lower() for part in path.relative_to(ROOT).parts)
    ]
    assert listed(vague) == []


def test_nothing_built_or_installed_is_in_the_repository() -> None:
    assert listed([path for path in repository_files() if path.suffix in LEFTOVER_SUFFIXES]) == []


@pytest.mark.parametrize("what", FOREIGN)
def test_no_text_names_an_index_or_a_machine(what: str) -> None:
    found = []
    for path, text in texts():
        for match in FOREIGN[what].finditer(text):
            found.append(f"{path.relative_to(ROOT)}:{text.count(chr(10), 0, match.start()) + 1}: {match[0]}")
    assert found == []


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("host of a package index", "see https://" + "pypi" + ".org"),
        ("option that names a package index", "--extra-index" + "-url x"),
        ("path on one machine", "cd " + "/home" + "/somebody"),
        ("path on one machine", "C:" + "\\Users\\somebody"),
    ],
)
def test_foreign_text_is_recognised(what: str, text: str) -> None:
    assert FOREIGN[what].search(text)


def test_texts_end_with_a_newline_and_have_no_carriage_returns() -> None:
    untidy = [path for path, text in texts() if text and (not text.endswith("\n") or "\r" in text)]
    assert listed(untidy) == []


def pins(kind: str) -> dict[str, str]:
    """The entries of a requirements file: what is pinned, and its hashes and conditions."""
    text = ROOT.joinpath("requirements", f"{kind}.txt").read_text(encoding="utf-8")
    entries = re.findall(r"^([a-z0-9-]+==\S+)([^\n]*(?:\n[ ]+--hash=\S+(?: \\)?)*)\n", text, re.MULTILINE)
    assert len(entries) == len([line for line in text.splitlines() if line and line[0] not in " #"])
    return dict(entries)


def test_the_development_pins_contain_the_runtime_pins() -> None:
    # A development environment counts as a run-time environment, see scripts/environment.bash.
    assert pins("runtime").keys() <= pins("dev").keys()


@pytest.mark.parametrize("kind", ["runtime", "dev"])
def test_every_pin_has_a_hash(kind: str) -> None:
    assert [pin for pin, rest in pins(kind).items() if "--hash=sha256:" not in rest] == []


def test_every_runtime_dependency_is_pinned() -> None:
    project = tomllib.loads(ROOT.joinpath("pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = project["dependencies"] + project["optional-dependencies"]["control"]
    names = {re.split(r"[^A-Za-z0-9-]", requirement)[0] for requirement in wanted}
    assert names - {pin.partition("==")[0] for pin in pins("runtime")} == set()


@pytest.mark.parametrize(
    "script", ["scripts/vpump", "scripts/test", "scripts/lock", "scripts/soak", "scripts/install-test-tools"]
)
def test_scripts_can_be_executed(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)


@pytest.mark.parametrize("package", PACKAGES)
def test_packages_offer_their_types(package: str) -> None:
    assert (ROOT / package / "py.typed").is_file()
