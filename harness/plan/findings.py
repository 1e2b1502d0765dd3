"""What pydantic found, in our words: one message for each mistake, at its place, with what would be right."""

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from harness.plan.models import LATER_PROBES, PlanFile
from harness.plan.nearest import near_to, nearest
from harness.plan.problems import Keys, Mistakes, Problem
from harness.plan.source import Source

_SHAPES = {
    "string_type": "a text",
    "bool_type": "true or false",
    "int_type": "a whole number",
    "list_type": "a list",
    "dict_type": "keys with values",
    "model_type": "keys with values",
    "model_attributes_type": "keys with values",
}
_BOUNDS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}


def findings(source: Source, error: ValidationError) -> list[Problem]:
    """One problem for each mistake."""
    details: list[dict[str, Any]] = [dict(detail) for detail in error.errors(include_url=False)]
    unknown: set[Keys] = {detail["loc"] for detail in details if detail["type"] == "extra_forbidden"}
    found = []
    for detail in details:
        if not _follows(detail, details, unknown):
            found += [source.problem(keys, text) for keys, text in _in_words(detail)]
    return found


def _follows(detail: dict[str, Any], details: list[dict[str, Any]], unknown: set[Keys]) -> bool:
    """Whether it is but a consequence of another mistake."""
    keys: Keys = detail["loc"]
    if detail["type"] == "missing":  # because it was misspelt
        beside = (other for other in unknown if other[:-1] == keys[:-1])
        if any(near_to(other[-1], _known_keys(keys[:-1])) == keys[-1] for other in beside):
            return True
    if detail["type"] in ("missing", "extra_forbidden") and len(keys) == 3 and keys[0] == "runners":
        return any(_is_later(other) and other["loc"][:2] == keys[:2] for other in details)
    return False


def _is_later(detail: dict[str, Any]) -> bool:
    """A probe that a later version will have: its other keys can't be judged yet."""
    value = detail["input"]
    return bool(detail["loc"][-1:] == ("probe",) and isinstance(value, str) and value in LATER_PROBES)


def _in_words(detail: dict[str, Any]) -> list[tuple[Keys, str]]:
    keys: Keys = detail["loc"]
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "value_error":
        error = context["error"]
        if isinstance(error, Mistakes):
            return [((*keys, *rest), text) for rest, text in error.found]
        return [(keys, str(error))]
    if kind == "extra_forbidden":
        return [(keys, f"unknown key {keys[-1]!r}: {nearest(keys[-1], _known_keys(keys[:-1]))}")]
    if kind == "missing":
        return [(keys[:-1], f"{keys[-1]!r} is missing{_example(keys)}")]
    if kind == "literal_error":
        if _is_later(detail):
            return [(keys, f"the probe {value!r} ({LATER_PROBES[value]}) is not in this version: app, http or cf-api")]
        near = near_to(value, _choices(keys)) if isinstance(value, str) else None
        hint = f": did you mean {near!r}?" if near is not None else ""
        return [(keys, f"expected {context['expected']}, not {_shown(value)}{hint}")]
    if kind == "too_short":
        return [(keys, f"is empty: expected at least one entry{_example(keys)}")]
    if kind == "too_long":
        return [(keys, f"has {context['actual_length']} entries: at most {context['max_length']}")]
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return [(keys, f"expected {words} {context[bound]}, not {_shown(value)}")]
    if kind in _SHAPES:
        return [
            (keys, _wrong_shape(_SHAPES[kind], value, keys, _known_keys(keys) if kind.startswith("model_") else []))
        ]
    return [(keys, f"{detail['msg']}, not {_shown(value)}")]


def _wrong_shape(expected: str, value: Any, keys: Keys, known: list[str]) -> str:
    if value is None:
        field = _field_at(keys)
        optional = field is not None and not field.is_required()
        return f"is empty: expected {expected}{', or leave the key out' if optional else _example(keys)}"
    text = f"expected {expected}, not {_shown(value)}"
    if expected == "a text" and isinstance(value, int | float):
        quoted = "" if isinstance(value, float) else f', "{_shown(value)}"'
        return f"{text}: write it in quotes{quoted}"
    if expected == "a list" and isinstance(value, str | int | float):
        return f"{text}: write [{value}]"
    if expected == "a list" and isinstance(value, dict):
        return f"{text}: begin each entry with '- '"
    if known:
        return f"{text}: the keys here are {', '.join(known)}"
    return text


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "keys with values"
    if isinstance(value, list):
        return "a list"
    return "nothing" if value is None else repr(value)


def _example(keys: Keys) -> str:
    """What to write for a key that is missing."""
    if keys == ("runners",):
        return ": write runners: [{name: app, url: https://app.example.org/}]"
    field = _field_at(keys)
    known = _annotated_examples(field.annotation, field.metadata) if field is not None else []
    examples = (field.examples if field is not None else None) or known
    return f": write {keys[-1]}: {examples[0]}" if examples else ""


def _annotated_examples(annotation: Any, metadata: Any) -> list[Any]:
    for part in metadata:
        schema = getattr(part, "json_schema", None)
        if schema:
            return list(schema.get("examples", []))
    return []


def _field_at(keys: Keys) -> Any:
    model = _model_at(keys[:-1])
    return model.model_fields.get(str(keys[-1])) if model is not None else None


def _known_keys(keys: Keys) -> list[str]:
    model = _model_at(keys)
    return list(model.model_fields) if model is not None else []


def _choices(keys: Keys) -> list[str]:
    field = _field_at(keys)
    return [choice for choice in get_args(field.annotation) if isinstance(choice, str)] if field is not None else []


def _model_at(keys: Keys) -> type[BaseModel] | None:
    """The model at a path of keys."""
    model: type[BaseModel] | None = PlanFile
    for part in keys:
        if isinstance(part, int):
            continue
        field = model.model_fields.get(part) if model is not None else None
        model = _model_in(field.annotation) if field is not None else None
    return model


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        found = _model_in(part)
        if found is not None:
            return found
    return None
