"""Models of what users write, and the check of a document against one.

A `Spec` takes values as they are: text is no number, true is no number, but a whole number is a number and a
list is a tuple. Unknown keys are errors. `validate_document` reports everything that is wrong at once, each
with the line that it was written on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from eesim.document import Document
from eesim.errors import InputError
from eesim.findings import BRANCH, Finding, SpecError, findings_of, not_one_of
from eesim.oneof import OneOf, Written
from eesim.wording import DataPath

__all__ = ["Finding", "OneOf", "Spec", "SpecError", "Written", "validate_document"]

_STRICT = frozenset({"str", "int", "float", "bool"})
_LIBRARY = frozenset({"lax-or-strict", "json-or-python"})
_NOT_SCHEMAS = frozenset({"metadata", "default", "config", "serialization", "expected"})


def _tighten(schema: Any, name: str) -> None:
    """Make the scalars of a schema strict, in place, and refuse unions that try all their branches."""
    if isinstance(schema, dict):
        kind = schema.get("type")
        if kind in _LIBRARY:
            # pydantic's own types (Path, Fraction) know what they are doing
            return
        if kind == "literal":
            _tighten_literal(schema)
            return
        if kind in _STRICT:
            schema.setdefault("strict", True)
        if kind == "union" or (kind == "tagged-union" and not all(map(_is_branch, schema["choices"]))):
            raise TypeError(f"{name}: a union needs OneOf(), as in Annotated[str | Change, OneOf()]")
        for key, part in schema.items():
            if key == "fields" and isinstance(part, dict):
                # names of fields are not words of the schema
                _tighten(list(part.values()), name)
            elif key not in _NOT_SCHEMAS:
                _tighten(part, name)
    elif isinstance(schema, (list, tuple)):
        for part in schema:
            _tighten(part, name)


def _tighten_literal(schema: Any) -> None:
    """Keep true and 1.0 from passing for 1, in place."""
    expected = schema["expected"]
    kinds = {type(item) for item in expected}
    if kinds == {str}:
        return

    def check(value: object) -> object:
        if isinstance(value, (bool, float)) and type(value) not in kinds:
            raise SpecError([((), *not_one_of(value, map(str, expected)))])
        return value

    plain = schema.copy()
    schema.clear()
    schema.update(core_schema.no_info_before_validator_function(check, plain))


def _is_branch(label: object) -> bool:
    return isinstance(label, str) and label.startswith(BRANCH)


class Spec(BaseModel):
    """Base of all models of user input: frozen, strict about scalars, no unknown keys.

    Unions of more than one type (other than ``X | None``) need `OneOf`. Validators may raise `SpecError` to
    report several things at once, or any ``ValueError``; its attribute ``hint``, if it has one, is what was
    probably meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Make the scalars strict; pydantic's own strictness would refuse lists for tuples, too."""
        schema = handler(source)
        _tighten(handler.resolve_ref_schema(schema), cls.__name__)
        return schema

    @model_validator(mode="wrap")
    @classmethod
    def _say_plainly(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Translate pydantic's errors here, where it is known which keys the model has."""
        across = [Finding(*found) for found in cls.across(data)] if isinstance(data, Mapping) else []
        try:
            checked = handler(data)
        except ValidationError as error:
            raise SpecError([*findings_of(error, _keys(cls)), *across]) from None
        if across:
            raise SpecError(across)
        return checked

    @classmethod
    def across(cls, data: Mapping[str, Any]) -> Iterable[tuple[DataPath, str, str]]:  # noqa: ARG003
        """What is wrong across fields, as (path, message, hint), from the data as written.

        Unlike a validator of the model, it also runs if some fields are wrong by themselves, so that everything is
        reported at once; it must take data of any shape.
        """
        return ()


T = TypeVar("T", bound=Spec)


def validate_document(model: type[T], document: Document) -> T:
    """Return a document's data as a model.

    Raises
    ------
    InputError
        If the data does not fit, with everything that is wrong, by file and line.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problems = dict.fromkeys(document.problem(*finding) for finding in findings_of(error))
    raise InputError(sorted(problems, key=lambda problem: (problem.source, problem.line)))


def _keys(model: type[BaseModel]) -> list[str]:
    """Return the keys of a model as they are written."""
    return [field.alias or name for name, field in model.model_fields.items()]
