"""Write the tables and plots of docs/performance.md from the figures of two runs of ``make bench``.

    python -m benchmarks.pages [BEFORE.json AFTER.json]

A table stands between ``<!-- NAME -->`` and ``<!-- end -->`` in the page. Without an AFTER there are those before only.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import orjson

from benchmarks.versions import RESULTS

PAGE = Path(__file__).parent.parent / "docs" / "performance.md"
SHOWN = (
    "a small call",
    "an embedding, 384 dims, 32 a batch",
    "ml.ingest into a function",
    "ml.ingest into .parquet",
    "ml.ingest into .jsonl",
    "ml.ingest into an index, JSON",
)
"""The programs of which it is shown where their time goes."""
BLOCK = re.compile(r"<!-- ([a-z ]+) -->\n.*?<!-- end -->", re.DOTALL)
Runs: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The figures of each run, by its name: before, after."""
Rows: TypeAlias = Iterator[Sequence[str]]


def rendered(page: str, runs: Runs) -> str:
    """Return a page with its tables made anew. Raises KeyError for a table that nobody makes."""
    return BLOCK.sub(lambda found: f"<!-- {found[1]} -->\n{_markdown(TABLES[found[1]](runs))}<!-- end -->", page)


def _markdown(rows: Rows) -> str:
    head, *others = rows
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *others]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _joined(runs: Runs, section: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the rows of a section's tables: by title, by name of the row, by name of the run."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for run, figures in runs.items():
        for table in figures.get(section, ()):
            for name, row in table["rows"].items():
                found.setdefault(table["title"], {}).setdefault(name, {})[run] = row
    return found


def ratios(section: str) -> Callable[[Runs], Rows]:
    """Return what makes the table of a section with a bare loop: a ratio in each run."""

    def rows(runs: Runs) -> Rows:
        yield ["", *(f"{run}: us CPU" for run in runs), *(f"{run}: ratio" for run in runs)]
        for title, table in _joined(runs, section).items():
            yield [f"**{title}**", *[""] * 2 * len(runs)]
            for name, found in table.items():
                yield [_code(name), *_figures(found, runs, "cpu_us", ".2f"), *_figures(found, runs, "ratio", ".2f")]

    return rows


def documents(runs: Runs) -> Rows:
    """Make the table of documents: what each costs, what its parts cost, and how many come through a second."""
    units = ("us CPU", "parts", "ratio", "documents/s")
    yield ["", *(f"{run}: {unit}" for run in runs for unit in units)]
    for table in _joined(runs, "documents").values():
        for name, found in table.items():
            columns = [
                _figures(found, [run], key, shape)[0]
                for run in runs
                for key, shape in (("cpu_us", ".1f"), ("sum_us", ".1f"), ("ratio", ".2f"), ("per_second", ",.0f"))
            ]
            yield [_code(name), *columns]


def rooms(runs: Runs) -> Rows:
    """Make the table of where the time goes: microseconds of each room, in programs that are told most by them."""
    columns = [(name, run) for name in SHOWN for run in runs if name in runs[run].get("where", {})]
    yield ["us", *(f"{_code(name)}, {run}" for name, run in columns)]
    yield ["all of it", *(f"**{runs[run]['where'][name]['us']:.1f}**" for name, run in columns)]
    known = {room: None for name, run in columns for room in runs[run]["where"][name]["rooms"]}
    for room in known:
        parts = [runs[run]["where"][name]["rooms"].get(room) for name, run in columns]
        yield [room, *("" if part is None else f"{part:.1f}" for part in parts)]


def functions(runs: Runs) -> Rows:
    """Make the table of the functions that take most of a document, in the newest run."""
    run = list(runs)[-1]
    yield [f"function, {run}", "us"]
    for name in ("ml.ingest into a function", "ml.ingest into an index, JSON"):
        yield [f"**{_code(name)}**", ""]
        for function, part in list(runs[run].get("where", {}).get(name, {}).get("functions", {}).items())[:10]:
            yield [f"`{function}`", f"{part:.1f}"]


def memory(runs: Runs) -> Rows:
    """Make the table of peaks."""
    found = {run: figures["memory"]["peaks"] for run, figures in runs.items() if "memory" in figures}
    sizes = list(dict.fromkeys(size for peaks in found.values() for one in peaks.values() for size in one))
    yield ["peak, MB", *(f"{run}: {int(size):,}" for run in found for size in sizes)]
    for name in dict.fromkeys(name for peaks in found.values() for name in peaks):
        yield [
            name,
            *(_figures(peaks.get(name, {}), [size], None, ".0f")[0] for peaks in found.values() for size in sizes),
        ]


def steps(runs: Runs) -> Rows:
    """Make the table of what a job's memory is made of."""
    found = {run: figures["memory"]["steps"] for run, figures in runs.items() if "memory" in figures}
    yield ["peak, MB", *found]
    for name in dict.fromkeys(name for peaks in found.values() for name in peaks):
        yield [name, *(f"{peaks[name]:.0f}" for peaks in found.values())]


def imports(runs: Runs) -> Rows:
    """Make the table of imports."""
    found = {run: {"imports": figures["imports"]} for run, figures in runs.items() if "imports" in figures}
    yield ["", *(f"{run}: ms" for run in found), *(f"{run}: ratio" for run in found)]
    for name in next(iter(found.values()), {"imports": {}})["imports"]:
        rows = {run: one["imports"][name] for run, one in found.items()}
        yield [f"`{name}`", *_figures(rows, found, "ms", ".0f"), *_figures(rows, found, "ratio", ".2f")]


def measured(runs: Runs) -> Rows:
    """Make the table of what was measured where."""
    yield ["run", "commit", "Python", "machine", "load", "libraries"]
    for run, figures in runs.items():
        own = figures["about"]
        libraries = ", ".join(f"{name} {version}" for name, version in own["libraries"].items())
        yield [run, own["commit"], own["python"], own["machine"], str(own["load"]), libraries]


def _figures(
    found: Mapping[str, Any], keys: Sequence[str] | Mapping[str, Any], key: str | None, shape: str
) -> list[str]:
    values = [found.get(one) if key is None else found.get(one, {}).get(key) for one in keys]
    return ["" if value is None else format(value, shape) for value in values]


def _code(name: str) -> str:
    """Set what is code in a row's name as code."""
    return re.sub(r"(await )?\bml\.[\w.]+(\(\.\.\.\))?", lambda found: f"`{found[0]}`", name)


TABLES: Mapping[str, Callable[[Runs], Rows]] = {
    "calls": ratios("calls"),
    "embeddings": ratios("embeddings"),
    "documents": documents,
    "rooms": rooms,
    "functions": functions,
    "memory": memory,
    "memory steps": steps,
    "imports": imports,
    "measured": measured,
}


def read(files: Sequence[Path]) -> dict[str, Any]:
    """Return the runs whose files are there."""
    return {path.stem: orjson.loads(path.read_bytes()) for path in files if path.exists()}


if __name__ == "__main__":
    from benchmarks.plots import draw

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*", default=[RESULTS / "before.json", RESULTS / "after.json"])
    known = read(parser.parse_args().files)
    PAGE.write_text(rendered(PAGE.read_text(), known))
    draw(known, PAGE.parent / "performance")
