"""Pages that show a whole file of docs/: it is what a reader copies, and what the tests run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

DOCS = Path(__file__).parents[2] / "docs"
LANGUAGES = {".py": "python", ".toml": "toml", ".yml": "yaml"}


def _block(path: Path) -> str:
    return f"```{LANGUAGES[path.suffix]}\n{path.read_text(encoding='utf-8').rstrip()}\n```"


SHOWN: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        path.relative_to(DOCS).as_posix(): partial(_block, path)
        for path in sorted((*DOCS.glob("ci/*"), *DOCS.glob("howto/*.toml")))
        if path.suffix in LANGUAGES
    }
)
PAGES = ("docs/test-your-programmer-in-ci.md", "docs/howto/own-scenario.md")
