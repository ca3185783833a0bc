"""What is suggested for a name that is not known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiomlcommons import Session
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sinks import open_sink
from aiomlcommons.ingest.sources import open_source
from aiomlcommons.integrations._columns import column
from aiomlcommons.lifecycle.catalogue import PRETRAINED, pretrained
from aiomlcommons.spelling import did_you_mean, similar, some_of

MODELS = [model.short_name for model in PRETRAINED]


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("tiemout", ["timeout", "retries", "connect"], ["timeout"]),
        ("TIMEOUT", ["timeout", "retries"], ["timeout"]),
        (" time-out ", ["time_out"], ["time_out"]),
        ("verify_certs", ["verify", "timeout"], ["verify"]),
        ("MiniLM", MODELS, ["all-MiniLM-L6-v2", "all-MiniLM-L12-v2", "ms-marco-MiniLM-L-6-v2"]),
        ("all-minilm-l6", MODELS, ["all-MiniLM-L6-v2", "all-MiniLM-L12-v2"]),
        ("id", ["valid", "hidden"], []),
        ("", ["id"], []),
        ("quux", ["timeout"], []),
        ("quux", [], []),
        ("x" * 1_000_000, ["timeout"], []),
    ],
)
def test_close_names_come_first_then_those_that_have_the_word_as_a_part(
    word: str, known: list[str], found: list[str]
) -> None:
    assert similar(word, known) == found


def test_at_most_three_are_suggested_in_one_wording() -> None:
    assert did_you_mean("field", ["fields"]) == "did you mean 'fields'?"
    assert did_you_mean("field1", ["field2", "field3"]) == "did you mean 'field2' or 'field3'?"
    many = did_you_mean("field1", [f"field{n}" for n in range(2, 9)])
    assert many == "did you mean 'field2', 'field3' or 'field4'?"
    assert did_you_mean("quux", ["fields"]) == ""
    assert did_you_mean("quux", ["fields"], "there are fields") == "there are fields"


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["get", "search", "predict_stream"])
async def test_an_unknown_field_of_a_request_is_answered_with_the_one_that_is_meant(name: str) -> None:
    wrong, right = {"get": ("modelid", "model_id"), "search": ("boddy", "body")}.get(name, ("paramters", "parameters"))
    async with Session("http://localhost:9200") as ml:
        with pytest.raises(TypeError, match=f"unexpected keyword argument '{wrong}'; did you mean '{right}'"):
            call = getattr(ml.models, name)("m", **{wrong: "x"})
            await (call.__aenter__() if name == "predict_stream" else call)
        with pytest.raises(TypeError, match="unexpected keyword argument 'quux'; its fields are model_id"):
            await ml.models.get("m", quux=1)  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'model_id'$"):
            await ml.models.get()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


@pytest.mark.asyncio
async def test_a_value_outside_of_a_closed_set_is_answered_with_the_one_that_is_meant() -> None:
    async with Session("http://localhost:9200") as ml:
        with pytest.raises(InvalidRequest, match=r"\(did you mean 'TORCH_SCRIPT'\?\), got 'torch-script'"):
            await ml.models.register("m", model_format="torch-script")  # type: ignore[arg-type]  # pyright: ignore


def test_a_pretrained_model_is_suggested_by_its_short_name() -> None:
    with pytest.raises(InvalidRequest, match=r"no pretrained model is called 'mpnet'; did you mean '.*mpnet-base"):
        pretrained("mpnet")
    with pytest.raises(InvalidRequest, match="'quux'; `aiomlcommons models pretrained` lists them"):
        pretrained("quux")


def test_a_column_of_a_batch_is_suggested() -> None:
    with pytest.raises(InvalidRequest, match="no column 'Txt'; did you mean 'text'"):
        column({"text": np.array(["a"])}, "Txt")


def test_a_file_name_is_answered_with_the_suffix_that_is_meant(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.parquet; did you mean '\.jsonl'\?"):
        open_sink(tmp_path / "out.jsnl")
    (tmp_path / "in.cvs").write_text("text\na\n")
    with pytest.raises(InvalidRequest, match=r"or give a Source; did you mean '\.csv'\?"):
        open_source(tmp_path / "in.cvs")
    (tmp_path / "in.csv").write_text("text\na\n")
    with pytest.raises(InvalidRequest, match=r"cannot be read with delimter: .*; did you mean 'delimiter'\?"):
        open_source(tmp_path / "in.csv", delimter=";")


def test_of_many_names_the_first_are_listed_and_the_others_counted() -> None:
    assert some_of([], 2) == ""
    assert some_of(["a", "b"], 2) == "a, b"
    assert some_of(range(1002), 2) == "0, 1 and 1,000 more"
