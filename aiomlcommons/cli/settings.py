"""``aiomlcommons settings``: list and change the cluster settings of ML Commons."""

from __future__ import annotations

import argparse
from typing import Any

import orjson

from aiomlcommons.api.settings import PREFIX, MLSettings
from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.tables import print_json, table
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.record import NULL

# An empty value resets a setting to its default, which is null in the request.
_NONE = {"": NULL, "null": None}


async def show(options: argparse.Namespace) -> None:
    """Show the settings in effect."""
    async with cluster(options) as ml:
        wire = (await ml.settings.read()).to_dict()
    shown = {key.removeprefix(PREFIX): value for key, value in sorted(wire.items()) if options.name.lower() in key}
    if options.json:
        print_json(shown)
    else:
        print(table(("SETTING", "VALUE"), [(key, orjson.dumps(value).decode()) for key, value in shown.items()]))


async def change(options: argparse.Namespace) -> None:
    """Change settings: NAME=VALUE; NAME= resets one to its default."""
    words: dict[str, Any] = {}
    for word in options.settings:
        name, equals, text = word.partition("=")
        if not equals:
            raise UsageError(f"a setting must be NAME=VALUE, not {word!r}")
        words[name] = _NONE.get(text, text)
    try:
        wanted = MLSettings.from_words(words)
    except InvalidRequest as error:
        raise UsageError(str(error)) from None
    async with cluster(options) as ml:
        before = await ml.settings.apply(wanted)
    after = wanted.to_dict()
    if options.json:
        pairs = ((key, value, after.get(key)) for key, value in before.to_dict().items())
        print_json({key.removeprefix(PREFIX): {"before": old, "after": new} for key, old, new in pairs})
        return
    for key, value in before.to_dict().items():
        print(f"{key}: was {'the default' if value is None else orjson.dumps(value).decode()}")
