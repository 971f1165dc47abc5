"""The desk that tests of the client commands sit at."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.desk import Desk, desk_of


@pytest.fixture(params=[False, True], ids=["keys", "insecure"])
def desk(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_of(monkeypatch, tmp_path, insecure=request.param)


@pytest.fixture
def keyed_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """With the published test keys."""
    return desk_of(monkeypatch, tmp_path, insecure=False)


@pytest.fixture
def insecure_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return desk_of(monkeypatch, tmp_path, insecure=True)
