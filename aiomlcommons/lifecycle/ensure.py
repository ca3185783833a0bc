"""The idempotent ``ensure``: find, register and deploy a model, and apply a setting that blocks it if allowed."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import attrs

from aiomlcommons.api.model_records import Model
from aiomlcommons.errors import InvalidRequest, MLCommonsError, NotFound
from aiomlcommons.lifecycle._candidates import Candidates
from aiomlcommons.lifecycle._named_file import named_file
from aiomlcommons.lifecycle._register_requests import New
from aiomlcommons.lifecycle.deployment import Deployment
from aiomlcommons.lifecycle.ensured import EnsuredModel
from aiomlcommons.lifecycle.errors import BlockedBySetting
from aiomlcommons.lifecycle.names import named
from aiomlcommons.lifecycle.registration import Registration
from aiomlcommons.lifecycle.remedies import Remedy, remedy_for
from aiomlcommons.lifecycle.spec import ExistingModel, FileModel, Spec
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.event_words import told_if_cancelled
from aiomlcommons.progress.event import Phase, Progress, Tell
from aiomlcommons.progress.telling import Progressing, telling, to_log
from aiomlcommons.record import Record, kind_of
from aiomlcommons.tracing.spans import Span, work
from aiomlcommons.wire.features import Feature

if TYPE_CHECKING:
    from aiomlcommons.client import Client

log = logging.getLogger("aiomlcommons")
T = TypeVar("T")
_TRIES = 4
WAIT = 60.0
"""Seconds for which a cluster that is restarted, recovers or lacks memory is waited for, unless the caller says."""


@attrs.frozen(kw_only=True)
class EnsureModel:
    """One run of ``ml.models.ensure``, which documents the fields."""

    ml: Client
    deploy: bool = True
    node_ids: Sequence[str] | None = None
    allow_partial: bool = False
    change_settings: bool = False
    keep: bool = False
    backoff: Backoff = Backoff()
    stall_timeout: float = 600.0
    teller: Tell = to_log

    async def __call__(self, wanted: Spec | str) -> EnsuredModel:
        """Ensure the model, and return it with its final record."""
        if not isinstance(wanted, str | Spec):
            raise InvalidRequest(f"model must be an id, a name or a spec such as PretrainedModel, not {_shown(wanted)}")
        did: list[Phase] = []
        step = Progress(phase=Phase.CHECKING, name=wanted if isinstance(wanted, str) else "")

        def tell(progress: Progress) -> None:
            nonlocal step
            step = progress
            did.append(progress.phase)
            self.teller(progress)

        with told_if_cancelled(lambda: f"ensure, whose last step was {step}"):
            return await attrs.evolve(self, teller=tell)._ensure_any(wanted, did)

    async def _ensure_any(self, wanted: Spec | str, did: list[Phase]) -> EnsuredModel:
        spec = await named(self.ml, wanted) if isinstance(wanted, str) else wanted
        if isinstance(spec, FileModel):
            # Before the file is packed and hashed, which takes long.
            self.ml.flavor.need(Feature.MODEL_FILES, f"{type(spec).__name__} {spec.path}")
            async with named_file(spec, self.teller) as file:
                return await self._ensure(file, did)
        return await self._ensure(spec, did)

    async def _ensure(self, spec: New | ExistingModel, did: list[Phase]) -> EnsuredModel:
        model_id, model = await self._register_and_deploy(spec)
        self.teller(
            Progress(
                phase=Phase.DEPLOYED if self.deploy else Phase.FOUND,
                name=model.name or "",
                model_id=model_id,
                done=model.current_worker_node_count,
                total=model.planning_worker_node_count,
                unit="nodes",
            )
        )
        return EnsuredModel(model_id=model_id, model=model, did=tuple(dict.fromkeys(did)))

    async def _register_and_deploy(self, spec: New | ExistingModel) -> tuple[str, Model]:
        """Register and deploy the model; register it again if the client that created it deletes it in between."""
        for pause in self.backoff.tries(_TRIES):
            model_id = spec.model_id if isinstance(spec, ExistingModel) else await self._register(spec)
            try:
                return model_id, await (self._deploy(model_id) if self.deploy else self.ml.models.get(model_id))
            except NotFound:
                if pause is None or isinstance(spec, ExistingModel):
                    raise
                await anyio.sleep(pause)
        raise AssertionError("the last try returns or raises")

    async def _register(self, spec: New) -> str:
        registration = Registration(
            ml=self.ml,
            spec=spec,
            teller=self.teller,
            backoff=self.backoff,
            stall_timeout=self.stall_timeout,
            keep=self.keep,
        )
        return await self._with_remedies(registration, registration.name)

    async def _deploy(self, model_id: str) -> Model:
        deployment = Deployment(
            ml=self.ml,
            model_id=model_id,
            teller=self.teller,
            node_ids=self.node_ids,
            allow_partial=self.allow_partial,
            backoff=self.backoff,
            stall_timeout=self.stall_timeout,
        )
        return await self._with_remedies(deployment, model_id)

    async def _with_remedies(self, work: Callable[[], Awaitable[T]], name: str) -> T:
        """Run ``work``; if a cluster setting blocks it, change the setting and retry, if ``change_settings`` allows."""
        tried: set[Remedy] = set()
        while True:
            try:
                return await work()
            except MLCommonsError as error:
                remedy = remedy_for(error)
                if remedy is None:
                    raise
                advice = self.ml.flavor.advice.get(remedy.setting, "")
                if not self.change_settings or remedy in tried:
                    raise BlockedBySetting(name, remedy, advice) from error
            tried.add(remedy)
            if advice:
                log.warning("%s: changing %s: %s", name, remedy.setting, advice)
            self.teller(Progress(phase=Phase.SETTING, name=name, words=f"{remedy.setting} to {remedy.value}"))
            await self.ml.settings.apply(remedy.settings)


def _shown(value: Any) -> str:
    return kind_of(value) if isinstance(value, Record) else repr(value)


async def ensure(
    ml: Client, spec: Spec | str, *, wait: float | None = None, progress: Progressing = False, **options: Any
) -> EnsuredModel:
    """Register and deploy a model unless it is already. Options and errors are those of ``ml.models.ensure``.

    ``wait`` is None for what the client itself waits.
    """
    begun = Progress(phase=Phase.CHECKING, name=spec if isinstance(spec, str) else getattr(spec, "name", None) or "")
    with work("models.ensure") as span:
        async with telling(progress, begun) as tell:
            how = EnsureModel(ml=ml.options(wait=wait), teller=_noted(span, tell), **options)
            found = await how(spec)
        span.put({"aiomlcommons.model.id": found.model_id, "aiomlcommons.model.name": found.model.name})
        return found


def _noted(span: Span, tell: Tell) -> Tell:
    """Return a function that makes each phase an event of a span, too, when it begins."""
    begun: set[Phase] = set()

    def both(progress: Progress) -> None:
        if progress.phase not in begun:
            begun.add(progress.phase)
            span.event("aiomlcommons.phase", {"aiomlcommons.phase": progress.phase.value})
        tell(progress)

    return both


async def find_registered(ml: Client, spec: Spec) -> tuple[str, Model] | None:
    """Return the id and record of the model that ``ensure`` would find for a spec; None if it would register one."""
    if isinstance(spec, FileModel):
        async with named_file(spec, to_log) as file:
            return await _find(ml, file)
    return await _find(ml, spec)


async def _find(ml: Client, spec: New | ExistingModel) -> tuple[str, Model] | None:
    if isinstance(spec, ExistingModel):
        return spec.model_id, await ml.models.get(spec.model_id)
    return await Candidates(ml, spec).find()
