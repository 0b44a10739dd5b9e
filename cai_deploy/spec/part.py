"""What all parts of a specification have in common, and the kinds of values that they hold."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

NAME_PATTERN = r"^[a-z](-?[a-z0-9])*$"
"""Names become parts of subdomains, which the platform limits to lower-case letters, digits and single hyphens."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=30)]
Port = Annotated[int, Field(ge=1024, le=65535)]
Count = Annotated[int, Field(ge=0, le=10_000)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Minutes = Annotated[float, Field(gt=0, le=5_256_000)]

Authentication = Literal["token", "none"]


class Part(BaseModel):
    """Common behaviour: no unknown keys, no changes after the fact."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
