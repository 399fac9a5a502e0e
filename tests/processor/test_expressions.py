"""The regular expressions of the product, on every Python that it runs on."""

from __future__ import annotations

import importlib
import pkgutil
import re
from typing import TYPE_CHECKING, Any

import tqimap_fetcher
import tqimap_processor
import tqimap_shared


if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

# the standard library's own parser of expressions; it has no public face
_parser: Any = importlib.import_module("re._parser")


def expressions(package: ModuleType) -> Iterator[tuple[str, re.Pattern[Any]]]:
    """Yield every expression that a module of *package* compiles when it is imported."""
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, re.Pattern):
                yield f"{info.name}.{name}", value


def untrustworthy(parsed: Any) -> Iterator[str]:  # noqa: ANN401 - the parser's own tree
    """Yield the constructs below *parsed* that Python before 3.11.5 matches wrongly."""
    for operation, argument in parsed:
        name = str(operation)
        if name == "ATOMIC_GROUP" or (name == "POSSESSIVE_REPEAT" and not single(argument[2])):
            yield name
        for part in argument if isinstance(argument, (tuple, list)) else (argument,):
            yield from below(part)


def below(part: Any) -> Iterator[str]:  # noqa: ANN401 - the parser's own tree
    """Look into what may be a tree, or a list of trees."""
    if isinstance(part, _parser.SubPattern):
        yield from untrustworthy(part)
    elif isinstance(part, list):
        for one in part:
            yield from below(one)


def single(parsed: Any) -> bool:  # noqa: ANN401 - the parser's own tree
    """Say whether *parsed* matches one character and nothing more complicated."""
    return len(parsed) == 1 and str(parsed[0][0]) in {"IN", "LITERAL", "NOT_LITERAL", "ANY"}


def test_no_possessive_groups() -> None:
    """Possessive and atomic groups go wrong in Debian 12's Python 3.11.2: none is used."""
    found = [
        f"{name}: {construct}"
        for package in (tqimap_shared, tqimap_fetcher, tqimap_processor)
        for name, pattern in expressions(package)
        for construct in set(untrustworthy(_parser.parse(pattern.pattern, pattern.flags)))
    ]
    assert found == []


def test_the_check_bites() -> None:
    """A possessive group is seen wherever it stands; a possessive set is not one."""
    for bad in (r"(?:ab?c)++", r"x(y|(?:a.)*+)z", r"(?>a|b)", r"(?=(?:ab){1,3}+)"):
        assert list(untrustworthy(_parser.parse(bad)))
    assert not list(untrustworthy(_parser.parse(r"[a-z]++(?:\.[a-z]*+)+x?+")))
