"""Models on Hugging Face with a token, from a hub that refuses, breaks and quotes, and from mirrors with a password."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

from aiomlcommons import FileModel, MLCommonsError, Progress, Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.net.backoff import Backoff
from tests.secrets.canaries import Outputs
from tests.secrets.jobs import files
from tests.support.hub_server import HubServer, hub_server

NOW = Backoff(first=0, cap=0)
DESCRIBED = {"config.json": b'{"model_type": "bert", "hidden_size": 16}', "tokenizer.json": b"{}"}
ANSWERS = (None, 400, 401, 403, 404, 500)


async def models_on_hugging_face(outputs: Outputs, folder: Path) -> None:
    """Ensure models from repositories that are there, private, gated, missing and wrong, with every refusal."""
    token = outputs.canaries.plant("token= of from_hub")
    password = outputs.canaries.plant("password in endpoint= of from_hub")
    async with hub_server() as hub, Emulator().serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        hub.add("a/good", {**DESCRIBED, "model.onnx": b"x"}, token=token)
        hub.add("a/gated", {**DESCRIBED, "model.onnx": b"x"}, token="another", gated=True)
        hub.add("a/weights", {**DESCRIBED, "model.safetensors": b"x"}, token=token)
        mirrors = (hub.url, "http://127.0.0.1:1")
        try:
            FileModel.from_hub("a/good", endpoint=hub.url.replace("://", f"://me:{password}@"))
        except MLCommonsError as error:
            outputs.error("a mirror with a password", error)
        names = ("a/good", "a/gated", "a/weights", "a/none")
        for name, endpoint, status in outputs.some(product(names, mirrors, ANSWERS)):
            hub.broken = status
            where = f"{name}, {status or 'served'}, mirror {mirrors.index(endpoint)}"
            await _ensured(outputs, ml, where, name, token=token, endpoint=endpoint, cache_dir=folder / "cache")
        files(outputs, "cache", folder)
        _check_sent(hub, token)


async def _ensured(outputs: Outputs, ml: Session, where: str, name: str, **options: Any) -> None:
    spec = FileModel.from_hub(name, **options)
    outputs.show(where, spec)
    outputs.show(where, spec.path)
    told: list[Progress] = []
    try:
        outputs.show(where, await ml.models.ensure(spec, deploy=False, backoff=NOW, progress=told.append))
    except MLCommonsError as error:
        outputs.error(where, error)
    for step in told:
        outputs.show(where, step)


def _check_sent(hub: HubServer, token: str) -> None:
    assert any(token in headers.get("authorization", "") for headers in hub.headers), "the token reached the hub"
