"""What specs of new models have in common: the group, the fields that every one may have, and checks of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.api import checks
from aiomlcommons.api.common import AccessMode
from aiomlcommons.api.model_records import DeploySetting, RateLimiter
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.typed import typed_fields


@attrs.frozen(kw_only=True, field_transformer=typed_fields)
class GroupSpec:
    """A model group by name; if none has that name, it is registered with the other fields."""

    name: str
    description: str | None = None
    access_mode: AccessMode | str | None = None
    backend_roles: Sequence[str] | None = None
    add_all_backend_roles: bool | None = None


@attrs.frozen(kw_only=True, field_transformer=typed_fields)
class Common:
    """The fields that specs of new models share. ``group`` is the name of a model group, or a GroupSpec."""

    group: GroupSpec | str | None = None
    description: str | None = None
    is_enabled: bool | None = None
    rate_limiter: RateLimiter | None = None
    deploy_setting: DeploySetting | None = None
    interface: Mapping[str, Any] | None = None

    def given_fields(self) -> dict[str, Any]:
        """Return the given fields that every register request accepts."""
        names = ("description", "is_enabled", "rate_limiter", "deploy_setting", "interface")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


def check_name(name: str, model_format: str | None) -> None:
    for problem in checks.deployable_name(name, model_format):
        raise InvalidRequest(problem)


def lower(text: str) -> str:
    return text.lower() if isinstance(text, str) else text  # what is no text is refused after it
