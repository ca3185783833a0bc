"""``ml.reembed``: the mixin of a session that gives an index a new model while it is in use."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from os import PathLike
from typing import TYPE_CHECKING, Any

from aiomlcommons.client import HasClient
from aiomlcommons.progress.event import Callback
from aiomlcommons.usage import AwaitedContext

if TYPE_CHECKING:
    from aiomlcommons.indices.vector_field import Method
    from aiomlcommons.inference.methods import Side
    from aiomlcommons.lifecycle.spec import Spec
    from aiomlcommons.reembedding.job import ReembeddingJob
    from aiomlcommons.reembedding.report import Report

WRITE = "`report = await ml.reembed(...)`, or `async with ml.reembed(...) as job:`"


class Reembedding(AwaitedContext["ReembeddingJob"]):
    """A re-embedding that is not begun: await it for its Report, or enter it for its job: ``async with ... as job:``.

    Awaiting it does what ``async with ml.reembed(...) as job: report = await job`` does.
    """

    async def __aenter__(self) -> ReembeddingJob:
        """Check all that can be known before, and return the job; nothing is written. Raises as ``ml.reembed`` does."""
        return await super().__aenter__()

    def __await__(self) -> Generator[Any, Any, Report]:
        """Do all of it, up to the switch, and return the report. Raises as ``ml.reembed`` does."""
        return self._result().__await__()


class Reembeds(HasClient):
    """A new model for an index that is in use."""

    def reembed(
        self,
        index: str,
        *,
        model: Spec | str | None = None,
        alias: str | None = None,
        field: str | None = None,
        text: str = "text",
        target: str | None = None,
        body: Mapping[str, Any] | None = None,
        engine: str | None = None,
        method: Method | None = None,
        space_type: str | None = None,
        pipeline: str | None = None,
        search_pipeline: str | None = None,
        old_model: str | None = None,
        queries: Mapping[str, str] | Iterable[str] | str | PathLike[str] | None = None,
        judgments: Any = None,
        require: str | Iterable[str] = (),
        max_failures: int = 0,
        freeze: bool = False,
        resume: bool | None = None,
        sample: bool = True,
        batch: int = 64,
        batch_bytes: int = 1_000_000,
        concurrency: int | tuple[int, int] = (1, 64),
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        content_type: Side | None = None,
        dead_letters: str | PathLike[str] | None = None,
        stall_timeout: float = 600.0,
        progress: bool | Callback = False,
    ) -> Reembedding:
        """Give an index that is in use a new model, without downtime: ``report = await ml.reembed("docs", ...)``.

        With ``alias`` a new index is made from the old one's settings and mapping, every document is copied and
        embedded anew, what writers write meanwhile is brought over, both indices are compared, and the alias is
        switched in one request; the old index stays. Without it, ``field`` names a second field of the same index, and
        queries are switched by you.

        ``async with ml.reembed(...) as job:`` checks all that can be known and writes nothing: ``job.plan`` is what
        would be done, ``await job`` does it, ``job.prepare()``, ``job.switch()``, ``job.follow()``, ``job.rollback()``
        and ``job.finish()`` are its steps. Each can be repeated: after a crash, also by ``kill -9``, the same call goes
        on where it was, for the state is in the cluster.

        Args:
            index: The index, by its own name.
            model: The new model, as ``ml.models.ensure`` takes it. Default: that of the run that is gone on with.
            alias: The alias by which programs search and write; it must lead to this index alone.
            field: The field of the vectors. Default: the only one, whose vectors the new ones replace in the copies;
                another one is added, and the old vectors are copied too.
            text: What is embedded of a document: a field, a path (``"meta.title"``), a template (``"{title} {body}"``).
            target: The name of the new index. Default: that of the old one and of the model.
            body: Settings, mappings and aliases of the new index that count before those of the old one.
            engine: The engine of dense vectors. Default: that of the old field.
            method: The method: a name, or a mapping with ``name`` and ``parameters``. Default: that of the old field.
            space_type: How dense vectors are compared. Default: that of the old field, if it suits the model.
            pipeline: The default ingest pipeline of the new index, for writers; ``"_none"`` is none. Default: that of
                the old index, which must not embed by the old model.
            search_pipeline: The default search pipeline of the new index; the same holds for it.
            old_model: The id or the name of the model of the old vectors: to evaluate it beside the new one, and to
                embed what was written since if it is rolled back. Default: what a pipeline of the index tells.
            queries: Queries for ``ml.evaluate``, which measures both models before the switch.
            judgments: Which documents are the right ones for them.
            require: What the new vectors must be before the switch: ``"ndcg@10 >= old - 0.02"`` and other metrics of
                ``ml.evaluate``; ``"overlap@10 >= 0.5"``, the share of the nearest documents that both models agree on;
                ``"self@1 >= 0.9"``, how many documents their own text finds; ``"cosine >= 0.999"``, with vectors that
                the model makes anew (this one always).
            max_failures: How many documents may stay without a vector because the model refuses them.
            freeze: Block writes into the old index from the last catching-up on, until it is rolled back or finished.
                Nothing is late then, but all writers get errors (403) until the switch, while both indices are compared
                for the last time; after it those who go past the alias do.
            resume: True only goes on with a run, and never begins one. Default: go on, or begin.
            sample: Embed some documents on entering, to learn how long all of them take.
            batch, batch_bytes: Texts, and bytes of text, in a request to the model.
            concurrency: Requests at once: a number, or the two bounds between which an adaptive limiter finds it.
            requests_per_minute, tokens_per_minute: Rate limits, kept evenly.
            content_type: Tells an asymmetric model what the texts are.
            dead_letters: A file for the documents that the model refuses.
            stall_timeout: Seconds without any response after which it ends.
            progress: True shows how far it is; a function is called with a Progress.

        Raises:
            InvalidRequest: An option is invalid, or two of them exclude each other.
            CannotReembed: The index, its alias, its pipelines, its room, or the model do not allow it; nothing was
                done, and the message has the remedy.
            WrongRun: The new index is of another re-embedding, such as one by another model.
            AnotherRun: Another process is working on it.
            NotSwitched: The new vectors are not as required; the alias still leads to the old index.
            ForeignVersions: Writers give documents versions of their own.
            NoSuchModel, NotDeployed, TaskFailed: As ``ml.models.ensure`` raises them, with others.
            JobStalled, ModelFails, ApiError: The model or the cluster fails; the same call goes on.
            SessionClosed: The session is not open.
        """

        def enter() -> AbstractAsyncContextManager[ReembeddingJob]:
            # Most programs that open a session re-embed nothing, and need not wait for what only that needs.
            from aiomlcommons.reembedding.job import reembedding
            from aiomlcommons.reembedding.task import Pace
            from aiomlcommons.reembedding.wanted import Wanted

            self._session._exchange.check_open()
            wanted = Wanted(
                index=index,
                model=model,
                alias=alias,
                field=field,
                text=text,
                target=target,
                body={} if body is None else body,
                engine=engine,
                method=method,
                space_type=space_type,
                pipeline=pipeline,
                search_pipeline=search_pipeline,
                old_model=old_model,
                queries=queries,
                judgments=judgments,
                require=require,
                max_failures=max_failures,
                freeze=freeze,
                resume=resume,
                sample=sample,
                pace=Pace(
                    dead_letters=dead_letters,
                    batch=batch,
                    batch_bytes=batch_bytes,
                    concurrency=concurrency,
                    requests_per_minute=requests_per_minute,
                    tokens_per_minute=tokens_per_minute,
                    content_type=content_type,
                    stall_timeout=stall_timeout,
                ),
            )
            return reembedding(self._session, wanted, progress)

        return Reembedding("ml.reembed(...)", WRITE, enter)
