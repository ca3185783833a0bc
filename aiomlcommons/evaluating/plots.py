"""The plot of an evaluation: the metrics of all systems with their intervals, and what changed for each query."""

from __future__ import annotations

import io
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from aiomlcommons.errors import InvalidRequest

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from aiomlcommons.evaluating.comparison import Comparison

# Those of Okabe and Ito, which color-blind people can tell apart.
_COLORS = ("#7f7f7f", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_GRAY = "#999999"
# Files that would have the date in them.
_DATED = {".svg", ".svgz"}


def check_matplotlib(path: str | PathLike[str] | None) -> None:
    """Raise ImportError without matplotlib, InvalidRequest for a file that it does not write."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise ImportError("a plot needs matplotlib: pip install 'aiomlcommons[notebook]'") from error
    known = FigureCanvasBase.get_supported_filetypes()
    if path is not None and Path(path).suffix[1:].lower() not in known:
        raise InvalidRequest(f"{path}: a plot is written as {', '.join(f'.{one}' for one in sorted(known))}")


def plot(result: Comparison, path: str | PathLike[str] | None) -> Figure:
    """Return the plot, and write it if a path is given. Raises as ``check_matplotlib`` does."""
    check_matplotlib(path)
    import matplotlib as mpl
    from matplotlib.figure import Figure

    # Without pyplot, which would choose a window system; the same figures make the same file.
    with mpl.rc_context({"svg.hashsalt": "aiomlcommons", "axes.spines.top": False, "axes.spines.right": False}):
        panels = 2 if result.differences else 1
        figure = Figure(figsize=(5.5 * panels, 3.6), layout="constrained")
        axes = figure.subplots(1, panels, squeeze=False)[0]
        _bars(axes[0], result)
        if result.differences:
            _changes(axes[1], result)
        if path is not None:
            figure.savefig(path, metadata={"Date": None} if Path(path).suffix.lower() in _DATED else None)
    # A notebook shows figures only once pyplot was imported, but whatever can draw itself at once.
    vars(figure)["_repr_png_"] = partial(_png, figure)
    return figure


def _png(figure: Figure) -> bytes:
    written = io.BytesIO()
    figure.savefig(written, format="png")
    return written.getvalue()


def _bars(axes: Any, result: Comparison) -> None:
    places, width = np.arange(len(result.metrics)), 0.8 / len(result.systems)
    for number, (name, figures) in enumerate(result.systems.items()):
        means = np.array([figures.means[metric] for metric in result.metrics])
        ends = np.array([[found[metric] for metric in result.metrics] for found in (figures.lows, figures.highs)])
        axes.bar(
            places + (number - (len(result.systems) - 1) / 2) * width,
            means,
            width,
            yerr=np.abs(ends - means),
            label=name,
            color=_COLORS[number % len(_COLORS)],
            error_kw={"linewidth": 0.8, "capsize": 2},
        )
    axes.set_xticks(places, result.metrics, rotation=30, ha="right")
    axes.set_ylim(0, 1.05)
    axes.set_title(f"{len(result.texts):,} queries, 95 % intervals", fontsize="medium")
    axes.legend(frameon=False)


def _changes(axes: Any, result: Comparison) -> None:
    metric = result.telling
    for number, name in enumerate(result.differences, 1):
        changes = np.sort(result[name].by_query[metric] - result[result.first].by_query[metric])
        axes.step(np.arange(len(changes)) + 0.5, changes, where="mid", label=name, color=_COLORS[number % len(_COLORS)])
    axes.axhline(0, color=_GRAY, linewidth=0.8)
    axes.set_xlabel("queries, the greatest loss first")
    axes.set_title(f"{metric}, less that of {result.first}", fontsize="medium")
    axes.legend(frameon=False)
