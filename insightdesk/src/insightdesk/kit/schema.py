"""The base of what travels over REST: camelCase outside, snake_case inside."""

from __future__ import annotations

from types import UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel

MAX_DEPTH = 32
"""Levels of lists and objects within one field."""


class Schema(BaseModel):
    """A view, built from a row or by keywords."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class Input(Schema):
    """What a client sends. An unknown field is refused, so that a misspelt one is not ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*", mode="before")
    @classmethod
    def _can_be_stored(cls, value: Any, info: ValidationInfo) -> Any:
        check_storable(value)
        check_kind(value, cls.model_fields[info.field_name or ""].annotation)
        return value


class Patch(Input):
    """What changes of something; what is not sent stays.

    Attributes:
        nullable: fields for which null is a value, and not the same as nothing.
    """

    nullable: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"send at least one of {', '.join(map(to_camel, type(self).model_fields))}")
        for name in self.model_fields_set - self.nullable:
            if getattr(self, name) is None:
                raise ValueError(f"{to_camel(name)} cannot be null")
        return self


def check_kind(value: object, annotation: object) -> None:
    """Refuse what would only pass because it can be turned into something else: true for 1, 0 for a moment.

    Raises:
        ValueError: A truth value where a number is asked for, or a number where none is.
    """
    kinds = _kinds(annotation)
    if isinstance(value, bool):
        if kinds & {int, float} and bool not in kinds:
            raise ValueError("must be a number, not true or false")
    elif isinstance(value, (int, float)) and kinds and not kinds & {int, float, object}:
        raise ValueError("cannot be a number")


def _kinds(annotation: object) -> set[object]:
    """The classes in an annotation; `object` stands for anything."""
    if annotation is Any:
        return {object}
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return set().union(*(_kinds(one) for one in get_args(annotation)))
    return {annotation}


def check_storable(value: object, depth: int = 0) -> None:
    """Refuse text that PostgreSQL or JSON cannot hold, and values within values without end.

    Raises:
        ValueError: A NUL, a lone surrogate, or more than ``MAX_DEPTH`` levels.
    """
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError("text cannot contain a NUL character")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError("text cannot contain half of a surrogate pair") from None
    elif isinstance(value, (dict, list)):
        if depth == MAX_DEPTH:
            raise ValueError(f"values are nested more than {MAX_DEPTH} levels deep")
        parts = [*value, *value.values()] if isinstance(value, dict) else value
        for part in parts:
            check_storable(part, depth + 1)
