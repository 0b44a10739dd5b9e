"""What all schemas share: how answers are read leniently and requests are written strictly.

It must not know any kind of object. The API is a gRPC gateway: 64-bit numbers are strings, what is unset is "" or null,
and an environment is an object going in but JSON text coming out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, model_validator
from pydantic_core import from_json

from cai_deploy.api.errors import UnreadableAnswer

if TYPE_CHECKING:
    from typing_extensions import Self


def parse_environment(value: object) -> dict[str, str]:
    """Variables from JSON text or an object; {} for what is neither, so that one odd object does not spoil a list."""
    if isinstance(value, str):
        try:
            value = from_json(value)  # a thousand nodes have the same variables, which are kept once
        except ValueError:
            return {}
    if not isinstance(value, Mapping):
        return {}
    return {str(name): text if isinstance(text, str) else json.dumps(text) for name, text in value.items()}


Number = Annotated[int, BeforeValidator(lambda value: value or 0)]
"""An integer that may come as text, "" included."""

Environment = Annotated[dict[str, str], BeforeValidator(parse_environment)]
"""Variables, from JSON text or an object."""


class Answer(BaseModel):
    """Something that the workspace told. Missing and null fields have their defaults, unknown ones are dropped."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, fields: Any) -> Any:
        if not isinstance(fields, Mapping):
            return fields
        return {name: value for name, value in fields.items() if value is not None}

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """The object in an answer. Raises UnreadableAnswer, which names fields but not what is in them."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            wrong = ", ".join(sorted({".".join(map(str, fault["loc"])) for fault in error.errors()}))
            raise UnreadableAnswer(
                f"the workspace's {cls.__name__} cannot be read", why=f"unexpected values in: {wrong}"
            ) from None


class Request(BaseModel):
    """Something to send. A field that the API does not have is an error here, as the server would not say so."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    def body(self) -> dict[str, Any]:
        """What is sent: the fields that are set."""
        return self.model_dump(exclude_none=True)


def patch_body(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The body of a PATCH, where an environment is JSON text and replaces the whole map."""
    body = dict(changes)
    if isinstance(body.get("environment"), Mapping):
        body["environment"] = json.dumps(body["environment"], sort_keys=True)
    return body
