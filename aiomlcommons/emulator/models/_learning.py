"""The classic algorithms that are really computed: k-means and linear regression."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeAlias

import attrs
import numpy as np
import numpy.typing as npt

from aiomlcommons.api.predict import Cell, ColumnMeta, DataFrame, Row
from aiomlcommons.emulator.errors import illegal, refused

Matrix: TypeAlias = npt.NDArray[np.float64]
NUMBERS = {"DOUBLE", "FLOAT", "INTEGER", "LONG", "SHORT"}
SEED = 42


class Trained(Protocol):
    """A trained model."""

    def predict(self, frame: DataFrame) -> DataFrame: ...


# ---- data frames ---------------------------------------------------------------------------------------------------


def matrix(frame: DataFrame, names: list[str]) -> Matrix:
    """Return columns of a data frame as an array; raise Refused for a missing column or a non-numeric value."""
    columns = [column.name for column in frame.column_metas]
    if absent := [name for name in names if name not in columns]:
        raise illegal(f"the data frame lacks columns: {', '.join(absent)}")
    places = [columns.index(name) for name in names]
    rows = [[_number(row, place) for place in places] for row in frame.rows]
    return np.array(rows, dtype=np.float64).reshape(len(rows), len(names))


def _number(row: Row, place: int) -> float:
    if len(row.values) <= place:
        raise illegal("a row of the data frame has fewer values than there are columns")
    cell = row.values[place]
    if cell.column_type.upper() not in NUMBERS or not isinstance(cell.value, int | float):
        raise refused(500, "runtime_exception", "the value isn't Double type")
    return float(cell.value)


def column(name: str, kind: str, values: list[Any]) -> DataFrame:
    """Return a data frame of one column."""
    rows = [Row(values=[Cell(column_type=kind, value=value)]) for value in values]
    return DataFrame(column_metas=[ColumnMeta(name=name, column_type=kind)], rows=rows)


# ---- k-means -------------------------------------------------------------------------------------------------------


def _euclidean(points: Matrix, centroids: Matrix) -> Matrix:
    return np.asarray(np.linalg.norm(points[:, None] - centroids[None], axis=2))


def _manhattan(points: Matrix, centroids: Matrix) -> Matrix:
    return np.asarray(np.abs(points[:, None] - centroids[None]).sum(axis=2))


def _cosine(points: Matrix, centroids: Matrix) -> Matrix:
    # A zero vector has no direction: its distance is 1, that of a right angle.
    return np.asarray(1 - _unit(points) @ _unit(centroids).T)


def _unit(points: Matrix) -> Matrix:
    length = np.linalg.norm(points, axis=1, keepdims=True)
    return np.asarray(points / np.where(length == 0, 1, length))


DISTANCES: Mapping[str, Callable[[Matrix, Matrix], Matrix]] = {
    "EUCLIDEAN": _euclidean,
    "L1": _manhattan,
    "COSINE": _cosine,
}


@attrs.frozen
class KMeans:
    """A k-means model: its centroids and distance function."""

    names: list[str]
    centroids: Matrix
    distance: str

    @classmethod
    def train(cls, frame: DataFrame, parameters: Mapping[str, Any]) -> KMeans:
        """Run Lloyd's algorithm; raise Refused for invalid parameters."""
        count, iterations = int(parameters.get("centroids", 2)), int(parameters.get("iterations", 10))
        distance = str(parameters.get("distance_type", "EUCLIDEAN"))
        if count <= 0:
            raise illegal("K should be positive.")
        if iterations <= 0:
            raise illegal("Iterations should be positive.")
        if distance not in DISTANCES:
            raise illegal(f"there is no distance_type {distance}, only {', '.join(DISTANCES)}")
        names = [column.name for column in frame.column_metas]
        points = matrix(frame, names)
        if not len(points):
            raise illegal("there is nothing to train on")
        return cls(names, _lloyd(points, count, iterations, DISTANCES[distance]), distance)

    def predict(self, frame: DataFrame) -> DataFrame:
        """Return the number of the nearest centroid for each row."""
        nearest = DISTANCES[self.distance](matrix(frame, self.names), self.centroids).argmin(axis=1)
        return column("ClusterID", "INTEGER", nearest.tolist())


def _lloyd(points: Matrix, count: int, iterations: int, distance: Callable[[Matrix, Matrix], Matrix]) -> Matrix:
    centroids = _spread(points, count, distance)
    for _ in range(iterations):
        nearest = distance(points, centroids).argmin(axis=1)
        # A centroid without points stays where it is.
        means = [points[nearest == i].mean(axis=0) if (nearest == i).any() else centroids[i] for i in range(count)]
        centroids, before = np.array(means), centroids
        if np.array_equal(centroids, before):
            break
    return centroids


def _spread(points: Matrix, count: int, distance: Callable[[Matrix, Matrix], Matrix]) -> Matrix:
    """Return initial centroids: a random point, then repeatedly the point farthest from those already chosen."""
    chosen = [int(np.random.default_rng(SEED).integers(len(points)))]
    while len(chosen) < count:
        chosen.append(int(distance(points, points[chosen]).min(axis=1).argmax()))
    return points[chosen]


# ---- linear regression ---------------------------------------------------------------------------------------------


@attrs.frozen
class LinearRegression:
    """A linear regression model: the weight of each column, and the intercept last."""

    names: list[str]
    target: str
    weights: Matrix

    @classmethod
    def train(cls, frame: DataFrame, parameters: Mapping[str, Any]) -> LinearRegression:
        """Solve least squares directly, not by gradient descent as the server does; raise Refused without a target."""
        target, columns = parameters.get("target"), [column.name for column in frame.column_metas]
        if not target:
            raise illegal("Empty target when generating dataset from data frame.")
        if target not in columns:
            raise illegal("No matched target when generating dataset from data frame.")
        names = [name for name in columns if name != target]
        points, wanted = matrix(frame, names), matrix(frame, [target])[:, 0]
        weights, *_ = np.linalg.lstsq(_with_constant(points), wanted, rcond=None)
        return cls(names, target, np.asarray(weights, dtype=np.float64))

    def predict(self, frame: DataFrame) -> DataFrame:
        """Return the target for each row."""
        values = _with_constant(matrix(frame, self.names)) @ self.weights
        return column(self.target, "DOUBLE", values.tolist())


def _with_constant(points: Matrix) -> Matrix:
    return np.hstack([points, np.ones((len(points), 1))])
