"""Bulk embedding from a source of documents through a model into a sink: at-least-once, idempotent, resumable."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.lazy import lazily

if TYPE_CHECKING:
    from aiomlcommons.inference.fields import FieldMap, TextFrom
    from aiomlcommons.ingest.dry_run import Estimate, estimate
    from aiomlcommons.ingest.errors import (
        CacheError,
        JobStalled,
        JobStopped,
        JobUnderWay,
        ModelFails,
        RowsLost,
        SeenError,
        TooManyFailures,
        WrongJob,
    )
    from aiomlcommons.ingest.job import Job
    from aiomlcommons.ingest.methods import Ingestion
    from aiomlcommons.ingest.sinks import (
        CallableSink,
        IndexSink,
        JsonLinesSink,
        NpySink,
        ParquetSink,
        SinkError,
        StdoutSink,
    )
    from aiomlcommons.ingest.sources import (
        ArrowSource,
        ArrowStreamSource,
        Chunks,
        CsvSource,
        FilesSource,
        IndexSource,
        IterableSource,
        JsonlSource,
        JsonSource,
        MappedSource,
        RemotePath,
        SourceError,
        StdinSource,
    )
    from aiomlcommons.ingest.state.dead_letters import DeadLetter, documents, read_dead_letters
    from aiomlcommons.ingest.stats import Report, Stats
    from aiomlcommons.ingest.types import BadRow, Documents, Refused, Row, Rows, Sink, Source

    # The old names.
    JobLeft, Letter, Unbalanced, letters = JobStopped, DeadLetter, RowsLost, read_dead_letters

__all__ = [
    "ArrowSource",
    "ArrowStreamSource",
    "BadRow",
    "CacheError",
    "CallableSink",
    "Chunks",
    "CsvSource",
    "DeadLetter",
    "Documents",
    "Estimate",
    "FieldMap",
    "FilesSource",
    "IndexSink",
    "IndexSource",
    "Ingestion",
    "IterableSource",
    "Job",
    "JobStalled",
    "JobStopped",
    "JobUnderWay",
    "JsonLinesSink",
    "JsonSource",
    "JsonlSource",
    "MappedSource",
    "ModelFails",
    "NpySink",
    "ParquetSink",
    "Refused",
    "RemotePath",
    "Report",
    "Row",
    "Rows",
    "RowsLost",
    "SeenError",
    "Sink",
    "SinkError",
    "Source",
    "SourceError",
    "Stats",
    "StdinSource",
    "StdoutSink",
    "TextFrom",
    "TooManyFailures",
    "WrongJob",
    "documents",
    "estimate",
    "read_dead_letters",
]

if not TYPE_CHECKING:
    # Imported lazily, so that reading a CSV file does not pay for importing what writes Parquet.
    __getattr__, __dir__ = lazily(
        __name__,
        __all__,
        {
            "..inference.fields": "FieldMap TextFrom",
            ".dry_run": "Estimate estimate",
            ".errors": (
                "CacheError JobStalled JobStopped JobUnderWay ModelFails RowsLost SeenError TooManyFailures WrongJob"
            ),
            ".job": "Job",
            ".methods": "Ingestion",
            ".sinks": "CallableSink IndexSink JsonLinesSink NpySink ParquetSink SinkError StdoutSink",
            ".sources": (
                "ArrowSource ArrowStreamSource Chunks CsvSource FilesSource IndexSource IterableSource "
                "JsonlSource JsonSource MappedSource RemotePath SourceError StdinSource"
            ),
            ".state.dead_letters": "DeadLetter documents read_dead_letters",
            ".stats": "Report Stats",
            ".types": "BadRow Documents Refused Row Rows Sink Source",
        },
        renamed={
            "JobLeft": "JobStopped",
            "Letter": "DeadLetter",
            "Unbalanced": "RowsLost",
            "letters": "read_dead_letters",
        },
    )
