"""docs/your-own-protocol.md: its code is that of the package, file by file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

PACKAGE = Path(__file__).parent
MODULES = PACKAGE / "src" / "wand_pump"
LANGUAGES = {".toml": "toml", ".py": "python"}


def _block(path: Path) -> str:
    shown = path.relative_to(PACKAGE).as_posix()
    return f"`{shown}`\n\n```{LANGUAGES[path.suffix]}\n{path.read_text(encoding='utf-8').rstrip()}\n```"


WALKTHROUGH: Mapping[str, Callable[[], str]] = MappingProxyType(
    {path.name: partial(_block, path) for path in (PACKAGE / "pyproject.toml", *sorted(MODULES.glob("*.py")))}
)
"""The generated parts of the page."""
