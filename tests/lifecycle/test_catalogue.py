"""The catalogue agrees with the reference listing that it was made from."""

from __future__ import annotations

import re

import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.lifecycle import catalogue
from aiomlcommons.lifecycle.catalogue import PRETRAINED, Pretrained, pretrained
from tests.support.paths import DATA

TABLE = DATA / "pretrained.tsv"
LINES = [line.split("\t") for line in TABLE.read_text().splitlines() if not line.startswith("#")]
ROWS = [dict(zip(LINES[0], line, strict=True)) for line in LINES[1:]]


def _versions(row: dict[str, str]) -> dict[str, set[str]]:
    """Versions with formats, of the listing and of the documentation together."""
    listed = re.findall(r"(\S+)\(([^)]*)\)", row["listing_versions(format)"])
    versions = {version: set(formats.split("/")) for version, formats in listed}
    if row["docs_version"] != "-":
        versions.setdefault(row["docs_version"], set()).update(row["docs_formats"].split(","))
    return versions


def test_the_catalogue_has_the_rows_of_the_reference_and_no_others() -> None:
    assert [model.name for model in PRETRAINED] == [row["name"] for row in ROWS]


@pytest.mark.parametrize(
    ("model", "row"), list(zip(PRETRAINED, ROWS, strict=True)), ids=lambda value: getattr(value, "name", "")
)
def test_a_model_is_as_the_reference_says(model: Pretrained, row: dict[str, str]) -> None:
    assert model.function_name == row["function_name"]
    assert model.dimension == (None if row["dims"] == "-" else int(row["dims"]))
    assert {version: set(formats) for version, formats in model.versions.items()} == _versions(row)
    assert row["docs_version"] in {model.version, "-"}


@pytest.mark.parametrize("name", ["huggingface/sentence-transformers/all-MiniLM-L6-v2", "all-MiniLM-L6-v2"])
def test_a_model_is_found_by_its_full_and_its_short_name(name: str) -> None:
    found = catalogue.find(name)
    assert found is not None
    assert (found.short_name, found.dimension, found.version, found.model_format) == (
        "all-MiniLM-L6-v2",
        384,
        "1.0.2",
        "TORCH_SCRIPT",
    )


@pytest.mark.parametrize(
    "name", ["", " ", "no such model", "someone/all-MiniLM-L6-v2", "https://example.com/all-MiniLM-L6-v2"]
)
def test_what_is_not_in_the_catalogue_is_none(name: str) -> None:
    assert catalogue.find(name) is None


def test_a_model_is_offered_in_its_versions_and_formats_only() -> None:
    model = catalogue.find("distiluse-base-multilingual-cased-v1")
    assert model is not None
    assert model.offers("1.0.1", "TORCH_SCRIPT")
    assert not model.offers("1.0.1", "ONNX")
    assert not model.offers("9", "TORCH_SCRIPT")
    assert not model.offers(None, None)


def test_every_artifact_that_the_documentation_links_is_where_it_is_said_to_be() -> None:
    linked = set((DATA / "artifacts.txt").read_text().split())
    named = {
        url
        for model in PRETRAINED
        for version, formats in model.versions.items()
        for kind in formats
        for url in (model.artifact_url(version, kind), model.config_url(version, kind))
    }
    assert len(linked) == 72
    assert linked <= named


def test_without_a_version_the_newest_torch_script_is_meant() -> None:
    model = pretrained("all-MiniLM-L6-v2")
    assert model.artifact_url() == model.artifact_url("1.0.2", "TORCH_SCRIPT")
    assert model.config_url() == model.config_url("1.0.2", "TORCH_SCRIPT")
    with pytest.raises(InvalidRequest, match="no pretrained model is called 'all-MiniLM'; did you mean"):
        pretrained("all-MiniLM")
    with pytest.raises(InvalidRequest, match="`aiomlcommons models pretrained` lists them"):
        pretrained("####")
