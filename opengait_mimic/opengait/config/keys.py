"""How a section of a YAML is written down as a pydantic model, and what is said of a mistake in it.

Every key has a type, a rule that says in words what it takes, a default and a description: `docs/yaml.md` is made of
them. All mistakes of a section are found at once, each a line of its own.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError, model_validator
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError, core_schema

from opengait_mimic.errors import ConfigError, nearest, one_line, shown

CLOSE = 0.85  # how much a key must look like a known one to be a slip for it

Model = TypeVar("Model", bound="Section")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Takes:
    """Annotates a key's type with which of its values are allowed.

    Attributes:
        words: the values, as messages and the documentation have them.
        holds: whether a value of the type is one of them.
        read: reads the value in place of pydantic; it raises ConfigError or ValidationError.
    """

    words: str
    holds: Callable[[Any], bool] = lambda _: True
    read: Callable[[Any], Any] | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        if self.read is not None:
            return core_schema.no_info_plain_validator_function(self.read)
        return core_schema.no_info_wrap_validator_function(self._checked, handler(source))

    def _checked(self, value: Any, handler: Callable[[Any], Any]) -> Any:
        with suppress(ValidationError):
            found = handler(value)
            if self.holds(found):
                return found
        raise ConfigError(f"{shown(value)} is not {self.words}{self._remark(value)}")

    def _remark(self, value: object) -> str:
        """The remark on 1e-4, which is text in YAML."""
        if isinstance(value, str) and "number" in self.words and "e" in value.lower():
            with suppress(ValueError):
                return f" (YAML takes it for text; write {float(value)!r})"
        return ""


def key(default: Any, meaning: str, alias: str | None = None) -> Any:
    """A key of a section.

    Args:
        default: `...` where the key has to be there. meaning: for the documentation. alias: as the YAML has it.
    """
    return Field(default, description=meaning, alias=alias)


def is_text(value: str) -> bool:
    """Whether a text is one a person would write."""
    return 0 < len(value) <= 1000 and value.isprintable()


def is_name(value: str) -> bool:
    """Whether a text can name a file."""
    return is_text(value) and not set(value) & set("/\\") and value.strip(".") != ""


def whole(low: int = 0, high: int = 10**9) -> Takes:
    """A whole number; the upper bound keeps a slip of the finger from asking for all memory there is."""
    return Takes(f"a whole number from {low}" + (f" to {high}" if high < 10**9 else ""), lambda v: low <= v <= high)


def number(low: float = -math.inf, high: float = math.inf) -> Takes:
    """A finite number."""
    bounds = ("" if low == -math.inf else f" from {low:g}") + ("" if high == math.inf else f" to {high:g}")
    return Takes(f"a number{bounds}", lambda value: low <= value <= high and abs(value) < 1e300)


def number_above_0(high: float = 1e300) -> Takes:
    """A number above 0."""
    return Takes("a number above 0" + (f" and at most {high:g}" if high < 1e300 else ""), lambda v: 0 < v <= high)


def listed(one: Takes, other: str = "", shortest: int = 1, longest: int = 1000) -> Takes:
    """A list of values of one rule; `other` names what else its type admits."""
    many = f"{shortest} values" if shortest == longest else "values"
    words = f"a list of {many}, each {one.words}{f', or {other}' if other else ''}"
    return Takes(words, lambda value: shortest <= len(value) <= longest and all(map(one.holds, value)))


def one_of(*values: str) -> Takes:
    """One of some words."""
    return Takes(f"one of {', '.join(values)}", lambda value: value in values)


def some_of(*values: str) -> Takes:
    """A list of some words, none of them twice."""
    return Takes(f"a list of {', '.join(values)}", lambda v: 0 < len(v) == len(set(v)) and set(v) <= set(values))


def or_null(rule: Takes) -> Takes:
    """What a rule takes, or null."""
    return Takes(f"{rule.words}, or null", lambda value: value is None or rule.holds(value))


Text = Annotated[str, Takes("text", is_text)]
Path = Annotated[str | None, or_null(Takes("text", is_text))]
Name = Annotated[str, Takes("a name (text without slashes)", is_name)]
Prefix = Annotated[str, Takes("a name (text without dots or slashes)", lambda v: is_name(v) and "." not in v)]
Flag = Annotated[bool, Takes("true or false")]
Mapping = Annotated[dict, Takes("a mapping")]
Number = Annotated[float, number()]
Weight = Annotated[float, number(0)]
Share = Annotated[float, number(0, 1)]
Above0 = Annotated[float, number_above_0()]
Whole = Annotated[int, whole()]
Count = Annotated[int, whole(1)]
Frames = Annotated[int, whole(1, 10**5)]
Size = Annotated[int, whole(1, 4096)]
Iteration = Annotated[int | None, or_null(whole(1))]
Identities = Annotated[int | None, or_null(whole(1, 10**7))]
Hint = Annotated[Any, Takes("an iteration, or a checkpoint's path")]  # some of OpenGait's models take a list


class Section(BaseModel):
    """A section of OpenGait's: a key that is not here passes, unless it looks like a slip for one that is.

    OpenGait's models read keys of their own there.
    """

    model_config = ConfigDict(strict=True, extra="allow", protected_namespaces=())
    closed: ClassVar[bool] = False
    slips: ClassVar[bool] = True
    expected: ClassVar[str] = "a mapping"
    called: ClassVar[str] = "key"  # what it has

    @classmethod
    def names(cls) -> list[str]:
        """The keys as a YAML has them."""
        return [field.alias or name for name, field in cls.model_fields.items()]

    @model_validator(mode="wrap")
    @classmethod
    def _find_all(cls, value: Any, handler: Callable[[Any], Any]) -> Any:
        if not isinstance(value, dict):
            raise ConfigError(f"expected {cls.expected}, found {shown(value)}")
        found, section = [], None
        try:
            section = handler(value)
        except ValidationError as error:
            found = [mistake(where, what) for where, what in mistakes(error)]
        keys = cls.names()
        for key in value:
            if key not in keys and (cls.closed or (cls.slips and _is_slip(key, keys))):
                found.append(mistake((), f"unknown {cls.called} {shown(key)}; {nearest(key, keys)}"))
        if found:
            raise ValidationError.from_exception_data(cls.__name__, found)
        return section


def _is_slip(key: str, keys: list[str]) -> bool:
    return bool(difflib.get_close_matches(key[:80], keys, n=1, cutoff=CLOSE))


class OwnSection(Section):
    """A section of ours: no other keys."""

    closed: ClassVar[bool] = True


def read(model: type[Model], value: object, where: str = "", only: Collection[str] = ()) -> Model:
    """A section's values, each of its type.

    Args:
        model: the section.
        value: what the YAML has there.
        where: for messages.
        only: the keys that are looked at; none: all.
    Raises:
        ConfigError: all its mistakes, one a line.
    """
    if only and isinstance(value, dict):
        value = {key: item for key, item in value.items() if key in only}
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ConfigError("\n".join(lines(error, where))) from None


def lines(error: ValidationError, where: str = "") -> list[str]:
    """A line for each mistake: section, key, value, and what is allowed."""
    found = [": ".join([where] * bool(where) + [p for p in place if isinstance(p, str)] + [said])
             for place, said in mistakes(error)]  # fmt: skip
    return list(dict.fromkeys(map(one_line, found)))


def inside(model: type[Model], value: object, name: str) -> Model:
    """A section's values; its mistakes are those of what goes by a name."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        found = [mistake((name, *where), said) for where, said in mistakes(error)]
        raise ValidationError.from_exception_data(name, found) from None


def together(check: Callable[[Any], Result], values: list) -> list[Result]:
    """What a check makes of each value, or the mistakes in all of them."""
    results, found = [], []
    for value in values:
        try:
            results.append(check(value))
        except ValidationError as error:
            found += [mistake(where, said) for where, said in mistakes(error)]
        except ConfigError as error:
            found.append(mistake((), str(error)))
    if found:
        raise ValidationError.from_exception_data("list", found)
    return results


def mistakes(error: ValidationError) -> list[tuple[tuple[int | str, ...], str]]:
    """Where each mistake is, and what it is."""
    found = []
    for one in error.errors(include_url=False):
        where, said = one["loc"], one["msg"]
        if one["type"] == "missing":
            where, said = where[:-1], f"{where[-1]} is missing"
        elif one["type"] == "value_error":
            said = str(one["ctx"]["error"])
        elif one["type"] in ("list_type", "too_short"):
            said = f"expected a list, found {shown(one['input'])}"
        found.append((where, said))
    return found


def mistake(where: tuple[int | str, ...], said: str) -> InitErrorDetails:
    """A mistake in pydantic's form."""
    return InitErrorDetails(type=PydanticCustomError("mistake", "{said}", {"said": said}), loc=where, input=None)
