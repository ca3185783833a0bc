"""The security plugin, as far as it is emulated: who the user is, and what the user may not do."""

from __future__ import annotations

import attrs

from aiomlcommons.typed import typed_fields


@attrs.define(field_transformer=typed_fields)
class Security:
    """The user of all requests. ``denied`` are patterns of privileges that the user lacks, such as ``cluster:*``."""

    user: str
    roles: list[str] = attrs.field(factory=list)
    denied: list[str] = attrs.field(factory=list)
