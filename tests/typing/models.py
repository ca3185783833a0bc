"""Models and what is around them: every call has its answer's type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, assert_type

from aiomlcommons import Secret, Session
from aiomlcommons.api.algorithms import Execution, Training
from aiomlcommons.api.common import Hit, Hits, WriteResult
from aiomlcommons.api.config import Config
from aiomlcommons.api.connectors import Connector, ConnectorCreated
from aiomlcommons.api.controllers import Controller, ControllerCreated
from aiomlcommons.api.model_groups import ModelGroup, ModelGroupRegistered, ModelGroupUpdated
from aiomlcommons.api.model_records import ChunkUploaded, MetaRegistered, Model, NodeUndeployed, RateLimiter
from aiomlcommons.api.predict import BatchStarted, Prediction, Words
from aiomlcommons.api.server import Info
from aiomlcommons.api.settings import ClusterSettings
from aiomlcommons.api.stats import Profile, Stats
from aiomlcommons.api.tasks import Cancelled, TaskInfo, TaskStarted
from aiomlcommons.stream import Events


async def the_session_itself(ml: Session) -> None:
    assert_type(await ml.predict("kmeans", "m", text_docs=["a text"], return_number=False), Prediction)
    assert_type(await ml.train("kmeans"), Training)
    assert_type(await ml.train_and_predict("kmeans"), Prediction)
    assert_type(await ml.execute("kmeans", {}), Execution)
    assert_type(await ml.batch_ingestion("an-index", field_map={}, data_source={}), TaskStarted)
    assert_type(await ml.info(), Info)
    assert_type(await ml.stats("ml_model_count", node_id="n"), Stats)


async def models(ml: Session) -> None:
    assert_type(await ml.models.predict("m", text_docs=["a text"]), Prediction)
    assert_type(await ml.models.batch_predict("m", parameters={}, dlq={}), BatchStarted)
    async with ml.models.predict_stream("m") as events:
        assert_type(events, Events[Words])
        assert_type(await anext(events), Words)
    assert_type(await ml.models.register("a name", url="https://example.com/m.zip", deploy=True), TaskStarted)
    assert_type(
        await ml.models.register_meta("a name", model_format="ONNX", model_content_hash_value="00", total_chunks=1),
        MetaRegistered,
    )
    assert_type(await ml.models.upload_chunk("m", 0, b""), ChunkUploaded)
    assert_type(await ml.models.get("m"), Model)
    assert_type(await ml.models.update("m", is_enabled=False), WriteResult)
    assert_type(await ml.models.delete("m"), WriteResult)
    page = await ml.models.search()
    assert_type(page, Hits[Model])
    assert_type(page[0], Hit[Model])
    assert_type(page[0].source, Model)
    assert_type(page[:2], Sequence[Hit[Model]])
    for hit in page:
        assert_type(hit, Hit[Model])
    async for hit in ml.models.search():
        assert_type(hit, Hit[Model])
    assert_type(Model.from_dict(page[0].source.to_dict()), Model)
    assert_type(page.to_dict(), dict[str, Any])
    assert_type(page.to_json(indent=True), str)
    assert_type(Hits[Model].from_dict(page.to_dict(), Model), Hits[Model])
    assert_type(await ml.models.deploy("m", node_ids=["n"]), TaskStarted)
    assert_type(await ml.models.undeploy("m"), dict[str, NodeUndeployed])
    assert_type(await ml.models.undeploy_many(), dict[str, NodeUndeployed])


async def model_groups(ml: Session) -> None:
    assert_type(await ml.model_groups.register("a name"), ModelGroupRegistered)
    assert_type(await ml.model_groups.get("m"), ModelGroup)
    assert_type(await ml.model_groups.update("m"), ModelGroupUpdated)
    assert_type(await ml.model_groups.delete("m"), WriteResult)
    assert_type(await ml.model_groups.search(), Hits[ModelGroup])
    async for hit in ml.model_groups.search():
        assert_type(hit, Hit[ModelGroup])


async def connectors(ml: Session) -> None:
    assert_type(
        await ml.connectors.create("a name", version=1, protocol="http", credential={"key": Secret("k")}),
        ConnectorCreated,
    )
    assert_type(await ml.connectors.get("c"), Connector)
    assert_type(await ml.connectors.update("c"), WriteResult)
    assert_type(await ml.connectors.delete("c"), WriteResult)
    assert_type(await ml.connectors.search(), Hits[Connector])
    async for hit in ml.connectors.search():
        assert_type(hit, Hit[Connector])


async def tasks(ml: Session) -> None:
    assert_type(await ml.tasks.get("t"), TaskInfo)
    assert_type(await ml.tasks.delete("t"), WriteResult)
    assert_type(await ml.tasks.search(), Hits[TaskInfo])
    async for hit in ml.tasks.search():
        assert_type(hit, Hit[TaskInfo])
    assert_type(await ml.tasks.cancel("t"), Cancelled)


async def settings(ml: Session) -> None:
    assert_type(await ml.settings.get(), ClusterSettings)
    assert_type(await ml.settings.put(), ClusterSettings)


async def controllers(ml: Session) -> None:
    assert_type(await ml.controllers.create("m", {"user": RateLimiter(limit=10, unit="MINUTES")}), ControllerCreated)
    assert_type(await ml.controllers.get("m"), Controller)
    assert_type(await ml.controllers.update("m", {"user": RateLimiter(limit=10, unit="MINUTES")}), WriteResult)
    assert_type(await ml.controllers.delete("m"), WriteResult)


async def config(ml: Session) -> None:
    assert_type(await ml.config.get("c"), Config)


async def profile(ml: Session) -> None:
    assert_type(await ml.profile.all(view="model"), Profile)
    assert_type(await ml.profile.models(), Profile)
    assert_type(await ml.profile.tasks(), Profile)


async def what_the_type_checkers_refuse(ml: Session) -> None:
    await ml.models.get()  # type: ignore[call-arg]
    await ml.models.get(5)  # type: ignore[arg-type]
    await ml.models.get("m", True)  # type: ignore[call-arg]
    await ml.models.get("m", nope=True)  # type: ignore[call-arg]
    await ml.models.nope("m")  # type: ignore[attr-defined]
    await ml.models.predict("m", text_docs=[1])  # type: ignore[list-item]
    await ml.profile.all(view="nope")  # type: ignore[arg-type]
    await ml.connectors.create("c", version=1)  # type: ignore[call-arg]
