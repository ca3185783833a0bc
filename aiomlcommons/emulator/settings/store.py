"""The store of cluster settings: transient over persistent over defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiomlcommons.api.settings import PREFIX, MLSettings
from aiomlcommons.emulator.errors import Refused, illegal, refused
from aiomlcommons.emulator.settings._defaults import SETTINGS, Setting
from aiomlcommons.endpoint import fields_of, wire_name
from aiomlcommons.wire.version import Version

_SINCE: Mapping[str, str] = {wire_name(field): field.metadata["since"] for field in fields_of(MLSettings)}


@attrs.define
class SettingStore:
    """Persistent and transient settings as flat keys with string values; a transient one takes precedence.

    It knows the settings that a server of ``version`` has.
    """

    version: str = "3.9"
    persistent: dict[str, Any] = attrs.field(factory=dict)
    transient: dict[str, Any] = attrs.field(factory=dict)

    def value(self, name: str) -> Any:
        """Return the effective value of a setting, by its name without the prefix."""
        key = PREFIX + name
        return self.transient.get(key, self.persistent.get(key, SETTINGS[name].default))

    def flag(self, name: str) -> bool:
        """Return whether a switch is on; true for a switch that this version does not have."""
        return bool(self.value(name) == "true") or not _has(self.version, name)

    def number(self, name: str) -> int:
        """Return the effective value as an integer."""
        return int(self.value(name))

    def defaults(self) -> dict[str, Any]:
        """Return the settings that have their default value."""
        known = {PREFIX + name: setting.default for name, setting in SETTINGS.items() if _has(self.version, name)}
        return {key: value for key, value in known.items() if key not in self.persistent | self.transient}

    def put(self, persistent: Mapping[str, Any], transient: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Change settings, nested or flat, all or none; return those that were set, flat. None resets to the default.

        Raises Refused for an unknown setting or an invalid value.
        """
        new_persistent = self._checked("persistent", persistent)
        new_transient = self._checked("transient", transient)
        if not new_persistent and not new_transient:
            kind = "action_request_validation_exception"
            raise refused(400, kind, "Validation Failed: 1: no settings to update;")
        _merge(self.persistent, new_persistent)
        _merge(self.transient, new_transient)
        return _given(new_persistent), _given(new_transient)

    def _checked(self, where: str, changes: Mapping[str, Any]) -> dict[str, Any]:
        return {key: _check(self.version, where, key, value) for key, value in flat(changes).items()}


def _merge(store: dict[str, Any], changes: Mapping[str, Any]) -> None:
    store.update(changes)
    for key in [key for key, value in changes.items() if value is None]:
        del store[key]


def _given(changes: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in changes.items() if value is not None}


def _has(version: str, name: str) -> bool:
    server, setting = Version.parse(version), SETTINGS.get(name)
    if setting is None or server < Version.parse(_SINCE.get(PREFIX + name, "2.4")):
        return False
    return setting.until is None or server < Version.parse(setting.until)


def _check(version: str, where: str, key: str, value: Any) -> Any:
    if not key.startswith(PREFIX):
        return _text(value)
    setting = SETTINGS.get(key.removeprefix(PREFIX))
    if setting is None or not _has(version, key.removeprefix(PREFIX)):
        raise refused(400, "settings_exception", f"{where} setting [{key}], not recognized")
    if setting.fixed:
        how = "not updateable" if setting.fixed == "final" else "not dynamically updateable"
        raise refused(400, "settings_exception", f"{setting.fixed} {where} setting [{key}], {how}")
    if value is not None and (problem := _problem(setting, key, value)):
        raise problem
    return _text(value)


def _problem(setting: Setting, key: str, value: Any) -> Refused | None:
    text = _text(value)
    if setting.kind == "bool" and text not in {"true", "false"}:
        return illegal(f"Failed to parse value [{text}] as only [true] or [false] are allowed.")
    if setting.kind not in {"int", "float"}:
        return None
    try:
        number = float(text)
    except (TypeError, ValueError):
        return illegal(f"Failed to parse value [{text}] for setting [{key}]")
    if setting.low is not None and number < setting.low:
        return illegal(f"Failed to parse value [{text}] for setting [{key}] must be >= {setting.low:g}")
    if setting.high is not None and number > setting.high:
        return illegal(f"Failed to parse value [{text}] for setting [{key}] must be <= {setting.high:g}")
    return None


def _text(value: Any) -> Any:
    if isinstance(value, list):
        return [_text(part) for part in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None else str(value)


def flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return ``{"a": {"b": 1}}`` as ``{"a.b": 1}``."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def nested(keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``{"a.b": 1}`` as ``{"a": {"b": 1}}``."""
    tree: dict[str, Any] = {}
    for key, value in keys.items():
        *parents, last = key.split(".")
        branch = tree
        for parent in parents:
            branch = branch.setdefault(parent, {})
        branch[last] = value
    return tree
