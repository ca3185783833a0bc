"""``aiomlcommons models``: ensure, upload, deploy, undeploy, list, show and delete models."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import anyio.to_thread
import orjson
from yarl import URL

from aiomlcommons.api.checks import name_of_file
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.cli.common import cluster, confirmed, shown
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.exit_codes import FAILED
from aiomlcommons.cli.tables import moment, print_json, print_record, results, table
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.lifecycle import ensure as ensuring
from aiomlcommons.lifecycle.catalogue import PRETRAINED
from aiomlcommons.lifecycle.ensured import EnsuredModel
from aiomlcommons.lifecycle.names import named
from aiomlcommons.lifecycle.pasted_names import plain_name
from aiomlcommons.lifecycle.spec import ExistingModel, FileModel, PretrainedModel, RemoteModel, Spec, UrlModel
from aiomlcommons.session import Session
from aiomlcommons.wire import convert

_ALL: dict[str, Any] = {"match_all": {}}


def _print_model(model_id: str, name: str | None, state: object, *, as_json: bool) -> None:
    if as_json:
        print_json({"model_id": model_id, "name": name, "model_state": state})
    else:
        print(f"{model_id} {name} {state}")


async def ensure(options: argparse.Namespace) -> None:
    """Make sure that a model is registered and deployed."""
    ensured = await _ensure(options, await anyio.to_thread.run_sync(_spec, options), deploy=not options.no_deploy)
    _print_model(ensured.model_id, ensured.model.name, ensured.model.model_state, as_json=options.json)


async def upload(options: argparse.Namespace) -> None:
    """Register a model from a local file, or resume an interrupted upload."""
    ensured = await _ensure(options, await anyio.to_thread.run_sync(_file, options), deploy=False)
    _print_model(ensured.model_id, ensured.model.name, ensured.model.model_state, as_json=options.json)


async def deploy(options: argparse.Namespace) -> None:
    """Deploy a registered model and wait until it is deployed."""
    ensured = await _ensure(options, options.model, deploy=True)
    _print_model(ensured.model_id, ensured.model.name, ensured.model.model_state, as_json=options.json)


async def _ensure(options: argparse.Namespace, spec: Spec | str, *, deploy: bool) -> EnsuredModel:
    how = {"deploy": deploy, "change_settings": options.change_settings}
    async with cluster(options) as ml:
        return await ensuring.ensure(ml, spec, wait=ensuring.WAIT, progress=shown(options), **how)


def _spec(options: argparse.Namespace) -> Spec | str:
    what, common = options.model, {"group": options.group}
    if options.connector_id:
        return RemoteModel(name=what, connector_id=options.connector_id, **common)
    if "://" in what and plain_name(what) == what:
        if not options.sha256:
            raise UsageError("a model by URL needs --sha256, the checksum of its file")
        given = {"model_content_hash_value": options.sha256, **_described(options)}
        return UrlModel(name=options.name or name_of_file(URL(what).name), url=what, **given, **common)
    if Path(what).exists():
        return _file(options)
    return what if options.group is None else PretrainedModel(name=what, **common)


def _file(options: argparse.Namespace) -> FileModel:
    described = _described(options)
    hashed = {"model_content_hash_value": options.sha256}
    return FileModel(path=options.model, name=options.name, group=options.group, **described, **hashed)


def _described(options: argparse.Namespace) -> dict[str, Any]:
    config = orjson.loads(Path(options.config).read_bytes()) if options.config else None
    given = {
        "function_name": options.function,
        "model_format": options.format,
        "model_config": convert.structure(config, ModelConfig) if config is not None else None,
    }
    return {name: value for name, value in given.items() if value is not None}


async def undeploy(options: argparse.Namespace) -> None:
    """Take models off the nodes."""
    async with cluster(options) as ml:
        with results(as_json=options.json) as take:
            for word in options.models:
                model_id = await existing(ml, word)
                got = await ml.models.undeploy(model_id)
                nodes = {node: (found.stats or {}).get(model_id, "not_found") for node, found in got.items()}
                line = " ".join([model_id, *(f"{node}: {state}" for node, state in nodes.items())])
                take({"model_id": model_id, "nodes": nodes}, line)


async def show(options: argparse.Namespace) -> None:
    """List the models of the cluster."""
    part = options.name.lower()
    async with cluster(options) as ml:
        hits = [hit async for hit in ml.models.search({"query": _ALL, "sort": [{"created_time": "asc"}]})]
    rows = [(hit.id, hit.source) for hit in hits if hit.has_source and part in (hit.source.name or "").lower()]
    if options.json:
        print_json([{"model_id": key, **convert.unstructure(model)} for key, model in rows])
        return
    titles = ("MODEL_ID", "NAME", "FUNCTION", "STATE", "VERSION", "CREATED")
    cells = [
        (key, m.name, m.algorithm or m.function_name, m.model_state, m.model_version, moment(m.created_time))
        for key, m in rows
    ]
    print(table(titles, cells))


async def get(options: argparse.Namespace) -> None:
    """Show one model."""
    async with cluster(options) as ml:
        model_id = await existing(ml, options.model)
        found = await ml.models.get(model_id)
    print_record({"model_id": model_id, **convert.unstructure(found)}, as_json=options.json)


async def pretrained(options: argparse.Namespace) -> None:
    """List the pretrained models, which a cluster registers by name."""
    found = [model for model in PRETRAINED if options.name.lower() in model.name.lower()]
    if options.json:
        print_json([convert.unstructure(model) for model in found])
        return
    rows = [(m.name, m.function_name, m.dimension or "-", m.version, "/".join(m.versions[m.version])) for m in found]
    print(table(("NAME", "FUNCTION", "DIMENSION", "VERSION", "FORMATS"), rows))


async def delete(options: argparse.Namespace) -> int | None:
    """Undeploy models and delete them, after confirmation."""
    async with cluster(options) as ml:
        ids = [await existing(ml, word) for word in options.models]
        found = [(model_id, (await ml.models.get(model_id)).name) for model_id in ids]
        if not confirmed(options, [f"model {model_id} ({name})" for model_id, name in found]):
            return FAILED
        with results(as_json=options.json) as take:
            for model_id in ids:
                await ml.models.remove(model_id, empty_group=options.empty_group)
                take({"model_id": model_id, "result": "deleted"}, f"deleted {model_id}")
    return None


async def existing(ml: Session, word: str, *, ensure: bool = False) -> str:
    """Return the id of a model that the cluster has. Raises MLCommonsError, with the remedy, if it has none.

    With ``ensure`` a pretrained one is registered and deployed.
    """
    found = await named(ml, word)
    if isinstance(found, PretrainedModel):
        found = await named(ml, found.name)  # the name under which it is registered
    if isinstance(found, ExistingModel):
        return found.model_id
    if ensure:
        return (await ml.models.ensure(found)).model_id
    raise MLCommonsError(
        f"the cluster has no model {word!r}: `aiomlcommons models ensure {found.name}` makes it, and "
        "`aiomlcommons models list` shows what there is"
    )
