"""The forms in which the protocol describes itself to others, each made from the same field tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from protocol.export.ksy import ksy
from protocol.export.lua import lua
from protocol.export.markdown import tables_page
from protocol.export.vector_document import vectors_json


class Form(NamedTuple):
    """One form: what it is for, the whole text of it, and the name under which docs/foreign has it, where it does."""

    meaning: str
    text: Callable[[], str]
    file_name: str = ""


FORMS: Final[Mapping[str, Form]] = MappingProxyType(
    {
        "markdown": Form("tables for people: every message, code, refusal and vector", tables_page),
        "ksy": Form("a Kaitai Struct description, from which its compiler makes parsers", ksy, "vpump.ksy"),
        "lua": Form("a Wireshark dissector for captures of link type USER0", lua, "vpump.lua"),
        "vectors": Form("test vectors in JSON, valid and invalid, with keys and verdicts", vectors_json),
    }
)
