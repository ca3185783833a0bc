"""``aiomlcommons reembed``: give an index that is in use a new model, or do one step of that."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from aiomlcommons.cli.common import cluster, confirmed, note, shown
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.exit_codes import FAILED, NOT_AS_REQUIRED, OK
from aiomlcommons.cli.tables import print_json
from aiomlcommons.display.json_data import dumped
from aiomlcommons.masking import without_escapes
from aiomlcommons.reembedding.errors import NotSwitched
from aiomlcommons.reembedding.job import ReembeddingJob
from aiomlcommons.reembedding.report import Report
from aiomlcommons.reembedding.state import Phase
from aiomlcommons.session import Session

# Steps of a run that there is: they need no sample, and begin nothing.
_OF_A_RUN = {"follow", "status", "rollback", "finish"}
_OPTIONS = (
    *("model", "alias", "field", "text", "target", "engine", "method", "pipeline", "search_pipeline", "old_model"),
    *("queries", "judgments", "require", "max_failures", "freeze", "batch", "batch_bytes", "concurrency"),
    *("requests_per_minute", "tokens_per_minute", "content_type", "dead_letters", "stall_timeout"),
)
_FORMS: Mapping[str, Callable[[Report], str]] = {
    ".md": Report.markdown,
    ".html": Report._repr_html_,
    ".json": lambda report: dumped(report.to_dict(), indent=True),
}


async def reembed(options: argparse.Namespace) -> int:
    """Re-embed an index, or do the step that is asked for; return 5 if it is not as --require says."""
    _check(options)
    async with cluster(options) as ml:
        try:
            async with _entered(ml, options) as job:
                if options.step == "dry-run":
                    print_json(job.plan.to_dict()) if options.json else print(without_escapes(str(job.plan)))
                    return OK
                if options.delete_old and _can_delete(job) and not confirmed(options, [f"index {job.plan.source}"]):
                    return FAILED
                if options.step not in _OF_A_RUN:
                    note(options, without_escapes(str(job.plan)))
                try:
                    report = await _STEPS[options.step](job, options)
                except BaseException:
                    note(options, f"so far: {job.report.title}; the same command goes on")
                    raise
        except NotSwitched as error:
            if error.report is not None:
                await _show(error.report, options)
            note(options, f"not as required: {error}")
            return NOT_AS_REQUIRED
    await _show(report, options)
    return OK


def _check(options: argparse.Namespace) -> None:
    if options.delete_old and options.step != "finish":
        raise UsageError("--delete-old is for --finish: the old index is deleted at the end only")
    if options.report is not None and Path(options.report).suffix not in _FORMS:
        raise UsageError(f"--report must end in {', '.join(_FORMS)}, not {options.report!r}")
    if options.model is None and options.step in {None, "dry-run", "until-switch"} and not options.resume:
        raise UsageError("pass --model MODEL, the new one, or --resume to go on with a run that there is")
    if options.model is not None and options.alias is None and options.field is None:
        raise UsageError(
            "pass --alias NAME, the alias that is switched to a new index, or --field NAME, a new field of the same one"
        )


def _can_delete(job: ReembeddingJob) -> bool:
    """Return whether there is something to ask: else ``finish`` says why not."""
    return job.phase in {Phase.SWITCHED, Phase.FINISHED} and not job.plan.in_place


def _entered(ml: Session, options: argparse.Namespace) -> Any:
    given = {name: getattr(options, name) for name in _OPTIONS}
    resume = True if options.resume or options.step in _OF_A_RUN else None
    return ml.reembed(options.index, **given, space_type=options.space, resume=resume, progress=_progress(options))


def _progress(options: argparse.Namespace) -> Any:
    return False if options.step in {"status", "dry-run"} else shown(options)


# ---- steps -----------------------------------------------------------------------------------------------------------


async def _all(job: ReembeddingJob, _: argparse.Namespace) -> Report:
    return await job


async def _prepare(job: ReembeddingJob, _: argparse.Namespace) -> Report:
    return await job.prepare()


async def _follow(job: ReembeddingJob, options: argparse.Namespace) -> Report:
    note(options, f"following what is written into {job.plan.target}; Ctrl-C ends it")
    return await job.follow(anyio.Event())


async def _status(job: ReembeddingJob, _: argparse.Namespace) -> Report:
    return job.report


async def _rollback(job: ReembeddingJob, _: argparse.Namespace) -> Report:
    return await job.rollback()


async def _finish(job: ReembeddingJob, options: argparse.Namespace) -> Report:
    return await job.finish(delete_old=options.delete_old)


_STEPS: Mapping[str | None, Callable[[ReembeddingJob, argparse.Namespace], Awaitable[Report]]] = {
    None: _all,
    "until-switch": _prepare,
    "follow": _follow,
    "status": _status,
    "rollback": _rollback,
    "finish": _finish,
}


async def _show(report: Report, options: argparse.Namespace) -> None:
    print_json(report.to_dict()) if options.json else print(without_escapes(str(report)))
    if options.report is not None:
        text = _FORMS[Path(options.report).suffix](report)
        await anyio.to_thread.run_sync(partial(Path(options.report).write_text, text, encoding="utf-8"))
        sys.stdout.flush()
