"""Models on an emulator, registered and uploaded step by step, for tests of delays and race conditions."""

from __future__ import annotations

from aiomlcommons import Backoff, Secret, Session
from aiomlcommons.api.connectors import ConnectorAction
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.models import SearchModels
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.tasks import TaskInfo

CONFIG = ModelConfig(model_type="bert", embedding_dimension=16, framework_type="sentence_transformers")
ALLOWED = MLSettings(
    connector_private_ip_enabled=True, trusted_connector_endpoints_regex=["^http://127[.]0[.]0[.]1:.*$"]
)
NOW = Backoff(first=0)
DENSE = "huggingface/sentence-transformers/all-MiniLM-L6-v2"
LOOKS = 6


async def announced(ml: Session, group_id: str | None = None, total: int = 1) -> str:
    """Return the id of a registered model whose chunks are not uploaded yet."""
    made = await ml.models.register_meta(
        "in chunks",
        model_format="TORCH_SCRIPT",
        model_content_hash_value="2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",  # of "x"
        total_chunks=total,
        model_config=CONFIG,
        model_group_id=group_id,
    )
    return made.model_id


async def hits(ml: Session, body: object = None) -> set[str]:
    """Return the hits of a search for models, chunks included."""
    found = await ml.send(SearchModels(body or {"query": {"match_all": {}}}))  # type: ignore[arg-type]
    return {hit.id for hit in found}


async def ended(ml: Session, task_id: str) -> TaskInfo:
    """Poll a task until it has ended, and return it."""
    for _ in range(4):
        info = await ml.tasks.get(task_id)
        if info.state not in {"CREATED", "RUNNING"}:
            return info
    raise AssertionError(info)


async def uploaded(ml: Session, group_id: str | None = None) -> str:
    model_id = await announced(ml, group_id)
    await ml.models.upload_chunk(model_id, 0, b"x")
    return model_id


async def remote(ml: Session, name: str = "r") -> str:
    """Return a remote model."""
    await ml.settings.apply(ALLOWED)
    action = ConnectorAction(action_type="predict", method="POST", url="http://127.0.0.1:1/", request_body="{}")
    made = await ml.connectors.create(
        "c", version=1, protocol="http", credential={"key": Secret("k")}, parameters={}, actions=[action]
    )
    started = await ml.models.register(name, function_name="remote", connector_id=made.connector_id)
    assert started.model_id
    return started.model_id


async def deployed(ml: Session, name: str = DENSE, version: str = "1.0.2") -> str:
    """Return the id of a deployed pretrained model."""
    started = await ml.models.register(name, version=version, model_format="TORCH_SCRIPT")
    model_id = (await ml.task(started, backoff=NOW)).model_id
    assert model_id
    await ml.task(await ml.models.deploy(model_id), backoff=NOW)
    await seen(ml, model_id)
    return model_id


async def seen(ml: Session, model_id: str, state: ModelState = ModelState.DEPLOYED) -> Model:
    """Poll a model until its record is up to date, and return it."""
    for _ in range(LOOKS):
        model = await ml.models.get(model_id)
        if model.model_state == state:
            return model
    raise AssertionError(f"{model_id} is {model.model_state} after {LOOKS} looks, and not {state}")
