"""Bulk embedding: from a source of documents, through a model, into a sink; nothing lost, nothing twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.lazy import lazily

if TYPE_CHECKING:
    from aiomlcommons.ingest.dry_run import Estimate, estimate
    from aiomlcommons.ingest.errors import (
        CacheError,
        JobLeft,
        JobStalled,
        JobUnderWay,
        ModelFails,
        SeenError,
        Unbalanced,
        WrongJob,
    )
    from aiomlcommons.ingest.job import Job
    from aiomlcommons.ingest.rows.fields import FieldMap
    from aiomlcommons.ingest.sinks import CallableSink, IndexSink, JsonLinesSink, NpySink, ParquetSink, SinkError
    from aiomlcommons.ingest.sources import (
        ArrowSource,
        CsvSource,
        IndexSource,
        IterableSource,
        JsonlSource,
        MappedSource,
        SourceError,
        StdinSource,
    )
    from aiomlcommons.ingest.state.dead_letters import Letter, documents, letters
    from aiomlcommons.ingest.stats import Report, Stats
    from aiomlcommons.ingest.types import BadRow, Documents, Refused, Row, Rows, Sink, Source

__all__ = [
    "ArrowSource",
    "BadRow",
    "CacheError",
    "CallableSink",
    "CsvSource",
    "Documents",
    "Estimate",
    "FieldMap",
    "IndexSink",
    "IndexSource",
    "IterableSource",
    "Job",
    "JobLeft",
    "JobStalled",
    "JobUnderWay",
    "JsonLinesSink",
    "JsonlSource",
    "Letter",
    "MappedSource",
    "ModelFails",
    "NpySink",
    "ParquetSink",
    "Refused",
    "Report",
    "Row",
    "Rows",
    "SeenError",
    "Sink",
    "SinkError",
    "Source",
    "SourceError",
    "Stats",
    "StdinSource",
    "Unbalanced",
    "WrongJob",
    "documents",
    "estimate",
    "letters",
]

if not TYPE_CHECKING:
    # Who reads a CSV file need not wait for what writes Parquet.
    __getattr__, __dir__ = lazily(
        __name__,
        __all__,
        (
            "errors",
            "types",
            "sources",
            "sinks",
            "stats",
            "rows.fields",
            "state.dead_letters",
            "job",
            "dry_run",
        ),
    )
