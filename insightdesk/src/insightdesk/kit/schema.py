"""The base of what travels over REST: camelCase outside, snake_case inside."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel


class Schema(BaseModel):
    """A view, built from a row or by keywords."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, from_attributes=True)


class Input(Schema):
    """What a client sends. An unknown field is refused, so that a misspelt one is not ignored."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)
