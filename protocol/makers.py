"""Instances of frozen classes at a fifth of their price, of values that nobody needs to look at any more.

The `__init__` of a frozen dataclass goes round its own lock for each attribute. What is made here begins as an instance
of an unfrozen twin, which takes attributes as quickly as Python can give them, and then becomes what it should be. The
function is written for the class, as dataclasses writes its `__init__`; `__post_init__` is not called.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
C = TypeVar("C")


def maker_of(cls: Callable[P, C]) -> Callable[P, C]:
    """The function that makes instances of a frozen dataclass with slots, of its values by name or in their order.

    What has a default may be left out; those with a `default_factory` may not.
    """
    frozen = cast("type[Any]", cls)
    names = [field.name for field in fields(frozen)]
    defaults = {f"default_{field.name}": field.default for field in fields(frozen) if field.default is not MISSING}
    parameters = [f"{name}=default_{name}" if f"default_{name}" in defaults else name for name in names]
    twin = type(
        frozen.__name__,
        frozen.__bases__,
        {
            "__slots__": frozen.__dict__["__slots__"],
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
        },
    )
    lines = [
        f"def make({', '.join(parameters)}):",
        "made = new(twin)",
        *(f"made.{name} = {name}" for name in names),
        "made.__class__ = frozen",
        "return made",
    ]
    written: dict[str, Any] = {"new": object.__new__, "twin": twin, "frozen": frozen, **defaults}
    exec("\n    ".join(lines), written)  # noqa: S102  # nothing but the names of a class's own fields
    return cast("Callable[P, C]", written["make"])
