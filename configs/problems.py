"""What is wrong with a configuration, in one line each for whoever wrote it.

Turns pydantic's errors into "what must be, not what was given". Knows neither files nor lines. A value that may hold
a password is never repeated.
"""

import difflib
import re
from typing import Any

from pydantic import BaseModel, ValidationError

Location = tuple[int | str, ...]
"""Keys and indexes from the root to a value."""

SECRET_KEYS = ("source", "url", "username", "password", "secret", "authorization")
"""Keys whose value is, or may hold, what nobody shall see."""

_LONGEST_VALUE = 60  # characters
_DOTTED = re.compile(r"([a-z_]+(?:\.\w+)*): (?=must )")  # how a check across fields names the one to change

_WRONG_KIND = {
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping of keys",
    "finite_number": "must be a finite number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "model_type": "must be a mapping of keys",
    "path_type": "must be a path",
    "string_too_short": "must not be empty",
    "string_type": "must be text",
    "tuple_type": "must be a list",
}
_BOUND = {
    "greater_than": ("must be above", "gt"),
    "greater_than_equal": ("must be at least", "ge"),
    "less_than": ("must be below", "lt"),
    "less_than_equal": ("must be at most", "le"),
}


def explain(error: ValidationError, model: type[BaseModel]) -> list[tuple[Location, str]]:
    """Every problem as where it is and what is wrong there, in the order of the model's fields.

    Args:
        model: The root that was validated; its fields are what a misspelt key is compared with.
    """
    return [
        _explain(dict(problem), model)
        for problem in error.errors(include_url=False)
        # A list with faulty entries counts as too short as well, because pydantic counts only the valid ones.
        if problem["type"] != "too_short" or len(problem["input"]) < problem["ctx"]["min_length"]
    ]


def dotted(location: Location) -> str:
    """The location in one word, as it is shown: `cameras.0.analysis.rate_fps`."""
    return ".".join("…" if _may_be_secret(part) else str(part) for part in location)


def _explain(problem: dict[str, Any], model: type[BaseModel]) -> tuple[Location, str]:
    kind, location, bounds = problem["type"], problem["loc"], problem.get("ctx", {})
    field = _field(model, location)
    given = problem["input"]
    if kind in ("extra_forbidden", "invalid_key"):
        return location, f"unknown key{_did_you_mean(str(location[-1]), _model(model, location[:-1]))}"
    if kind == "value_error":
        text = problem["msg"].removeprefix("Value error, ")
        named = _DOTTED.match(text)
        if named:
            parts = (int(part) if part.isdecimal() else part for part in named[1].split("."))
            return (*location, *parts), text[named.end() :]
        return location, text
    if kind == "missing" and isinstance(location[-1], str):
        return location, f"must be given{f': {field.description}' if field and field.description else ''}"
    if "mask" in location and kind in ("missing", "too_long", "tuple_type"):
        if kind == "missing":
            location = location[:-1]
        return location, "must be [x, y] in fractions of the frame; mask is a list of polygons, a polygon of points"
    if kind == "too_short":
        return location, f"must have at least {bounds['min_length']} entries, not {len(given)}"
    if kind in _BOUND:
        words, name = _BOUND[kind]
        text = f"{words} {_number(bounds[name])}"
    elif kind == "literal_error":
        text = f"must be {bounds['expected']}"
    elif kind == "string_pattern_mismatch" and field is not None:
        text = f"must be {field.description}"
    else:
        text = _WRONG_KIND.get(kind, problem["msg"])
    return location, text + _not(given, location)


def _not(given: object, location: Location) -> str:
    """What was given instead, as YAML spells it; nothing where that may be a secret."""
    if (location and location[-1] in SECRET_KEYS) or _may_be_secret(given):
        return ""
    if given is None:
        return ", not nothing"
    if isinstance(given, bool):
        return f", not {str(given).lower()}"
    if isinstance(given, str):
        return f", not {given[:_LONGEST_VALUE]!r}"
    if isinstance(given, int | float):
        return f", not {_number(given)[:_LONGEST_VALUE]}"
    if isinstance(given, dict):
        return ", not a mapping"
    return ", not a list" if isinstance(given, list) else ""


def _may_be_secret(value: object) -> bool:
    """A source that stands in the wrong place, or in no place at all."""
    return isinstance(value, str) and ("://" in value or "@" in value)


def _number(value: float) -> str:
    return f"{value:.0f}" if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else f"{value}"


def _model(model: type[BaseModel], location: Location) -> type[BaseModel]:
    """The section at a location; lists of sections are passed through by their index."""
    for part in location:
        if isinstance(part, str):
            model = _section(model.model_fields[part].annotation) or model
    return model


def _field(model: type[BaseModel], location: Location) -> Any:
    """The field at a location, None for a part of one."""
    if not location or not isinstance(location[-1], str):
        return None
    return _model(model, location[:-1]).model_fields.get(location[-1])


def _section(annotation: Any) -> type[BaseModel] | None:
    """The model in a field's type: itself, or what a list holds."""
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
    return None


def _did_you_mean(key: str, model: type[BaseModel]) -> str:
    """The likeliest known key, here or in a section below."""
    here = list(model.model_fields)
    below = {
        name: f"{section}.{name}"
        for section, field in model.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for name in field.annotation.model_fields
    }
    if key in below:
        return f", did you mean {below[key]}?"
    close = difflib.get_close_matches(key, here, n=1) or difflib.get_close_matches(key, below, n=1)
    if close:
        return f", did you mean {below.get(close[0], close[0])}?"
    return f"; known here: {', '.join(here)}"
