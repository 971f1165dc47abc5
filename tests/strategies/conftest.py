"""The desk at which drawn programs are handed to a pump."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.desk import Desk, desk_of


@pytest.fixture
def insecure_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_of(monkeypatch, tmp_path, insecure=True)
