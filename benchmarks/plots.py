"""The plots of docs/performance.md, as SVG: the same figures make the same bytes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Runs = Mapping[str, Mapping[str, Any]]
# Any, because matplotlib's types name each of its several hundred settings.
STYLE: Any = {
    "svg.hashsalt": "aiomlcommons",
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
HAND, OTHER = "aiohttp and orjson by hand, to numpy", "opensearch-py async, to numpy"
SHADES = {"before": "#b0b7c3", "after": "#2a6fbb", "parts": "#e0a030", HAND: "#7a9a6a", OTHER: "#c0605a"}


def draw(runs: Runs, folder: Path) -> None:
    """Draw all plots into a folder."""
    folder.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, make in {"documents": documents, "embeddings": embeddings, "rooms": rooms}.items():
            figure = Figure(figsize=(9, 4.8), layout="constrained")
            make(figure.add_subplot(), runs)
            figure.savefig(folder / f"{name}.svg", metadata={"Date": None})


def _bars(axes: Axes, names: list[str], series: Mapping[str, list[float]]) -> None:
    """Draw horizontal bars, a group for each name, the first at the top."""
    thick = 0.8 / len(series)
    for number, (label, values) in enumerate(series.items()):
        places = [row + (number - (len(series) - 1) / 2) * thick for row in range(len(names))]
        bars = axes.barh(places, values, thick, label=label, color=SHADES.get(label))
        axes.bar_label(bars, fmt="{:.1f}", padding=2, fontsize=7)
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.3, 1.0), ncols=len(series), fontsize=8)


def documents(axes: Axes, runs: Runs) -> None:
    """Draw what a document of each job costs, beside the sum of its parts in the newest run."""
    tables = {run: figures["documents"][0]["rows"] for run, figures in runs.items() if "documents" in figures}
    newest = list(tables.values())[-1]
    names = [name for name in newest if name.startswith("ml.ingest")]
    series = {"parts": [newest[name]["sum_us"] for name in names]}
    series |= {run: [rows[name]["cpu_us"] for name in names] for run, rows in tables.items()}
    _bars(axes, names, series)
    axes.set_xlabel("CPU of the client for each document, microseconds")


def embeddings(axes: Axes, runs: Runs) -> None:
    """Draw the ratio of each way to embed to the bare read of the same bytes."""
    tables = {run: {t["title"]: t["rows"] for t in figures.get("embeddings", ())} for run, figures in runs.items()}
    newest = list(tables.values())[-1]
    names = [title for title in newest if "uvloop" not in title]
    series = {
        run: [rows[title]["ml.embed, by batch"]["ratio"] for title in names] for run, rows in tables.items() if rows
    }
    for way in (HAND, OTHER):
        series[way] = [newest[title][way]["ratio"] for title in names]
    _bars(axes, names, series)
    axes.set_xscale("log")
    axes.set_xlim(left=1)
    axes.set_xticks([1, 2, 5, 10, 20, 50], ["1", "2", "5", "10", "20", "50"], minor=False)
    axes.minorticks_off()
    axes.set_xlabel("client CPU as a ratio to bare aiohttp, which reads the same bytes and decodes nothing")


def rooms(axes: Axes, runs: Runs) -> None:
    """Draw where the time of a document goes, stacked by room."""
    bars = {
        f"{name.removeprefix('ml.ingest ')}, {run}": found
        for name in ("ml.ingest into a function", "ml.ingest into .parquet", "ml.ingest into an index, JSON")
        for run, figures in runs.items()
        if (found := figures.get("where", {}).get(name))
    }
    left = dict.fromkeys(bars, 0.0)
    known = list(dict.fromkeys(room for found in bars.values() for room in found["rooms"]))
    shades = mpl.colormaps["tab20"]
    for number, room in enumerate(known):
        values = [found["rooms"].get(room, 0.0) for found in bars.values()]
        axes.barh(list(bars), values, left=list(left.values()), label=room, color=shades(number % 20))
        left = {name: left[name] + value for name, value in zip(bars, values, strict=True)}
    axes.invert_yaxis()
    axes.legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.set_xlabel("CPU of the client for each document, microseconds")
