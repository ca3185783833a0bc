"""What is read from the files that Hugging Face keeps beside a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons.api.model_configs import FrameworkType, ModelConfig, PoolingMode
from aiomlcommons.lifecycle.errors import BadPackage
from aiomlcommons.lifecycle.files.hugging_face import MAX_CONFIG, read_config
from tests.support.paths import MODELS

BERT = {"model_type": "bert", "hidden_size": 384, "note": "größer", "layer_norm_eps": 1e-12}
MEAN = {"word_embedding_dimension": 384, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}


def laid(folder: Path, **files: Any) -> Path:
    """Files by name, with ``__`` for a folder: ``_1_Pooling__config`` is ``1_Pooling/config.json``."""
    for name, content in files.items():
        file = folder / f"{name.removeprefix('_').replace('__', '/')}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content, indent=2))
    return folder


def modules(*kinds: str) -> list[dict[str, Any]]:
    """As sentence-transformers lists them: the transformer lies in the folder itself."""
    return [
        {
            "idx": i,
            "name": str(i),
            "path": "" if kind == "Transformer" else f"{i}_{kind}",
            "type": f"sentence_transformers.models.{kind}",
        }
        for i, kind in enumerate(kinds)
    ]


def test_a_sentence_transformers_model(tmp_path: Path) -> None:
    laid(
        tmp_path,
        config=BERT,
        modules=modules("Transformer", "Pooling", "Normalize"),
        _1_Pooling__config=MEAN,
        sentence_bert_config={"max_seq_length": 256, "do_lower_case": False},
        tokenizer_config={"model_max_length": 512},
    )
    assert read_config(tmp_path) == ModelConfig(
        model_type="bert",
        embedding_dimension=384,
        framework_type=FrameworkType.SENTENCE_TRANSFORMERS,
        pooling_mode=PoolingMode.MEAN,
        normalize_result=True,
        model_max_length=256,
        all_config='{"model_type":"bert","hidden_size":384,"note":"gr\\u00f6\\u00dfer","layer_norm_eps":1e-12}',
    )


def test_a_plain_transformers_model(tmp_path: Path) -> None:
    assert read_config(laid(tmp_path, config={"model_type": "bert", "hidden_size": 8})) == ModelConfig(
        model_type="bert",
        embedding_dimension=8,
        framework_type=FrameworkType.HUGGINGFACE_TRANSFORMERS,
        all_config='{"model_type":"bert","hidden_size":8}',
    )


def test_the_file_its_folder_and_a_zip_or_model_beside_it_say_the_same(tmp_path: Path) -> None:
    laid(tmp_path, config=BERT, modules=modules("Transformer", "Pooling"), _1_Pooling__config=MEAN)
    (tmp_path / "model.zip").write_bytes(b"any")
    (tmp_path / "model.pt").write_bytes((MODELS / "tiny-tokenizer.zip").read_bytes())
    found = read_config(tmp_path)
    assert found.pooling_mode is PoolingMode.MEAN
    for name in ("config.json", "model.zip", "model.pt"):
        assert read_config(tmp_path / name) == found
        assert read_config(str(tmp_path / name)) == found


def test_a_config_of_another_name_is_read(tmp_path: Path) -> None:
    assert read_config(laid(tmp_path, bert_config=BERT) / "bert_config.json").embedding_dimension == 384


@pytest.mark.parametrize("key", ["hidden_size", "dim", "d_model", "n_embd"])
def test_every_word_for_the_dimension(tmp_path: Path, key: str) -> None:
    assert read_config(laid(tmp_path, config={"model_type": "x", key: 12})).embedding_dimension == 12


def test_the_dimension_is_that_of_the_last_step(tmp_path: Path) -> None:
    laid(tmp_path, config=BERT, _1_Pooling__config={**MEAN, "word_embedding_dimension": 100})
    assert read_config(tmp_path).embedding_dimension == 100
    laid(tmp_path, modules=modules("Transformer", "Pooling", "Dense"), _2_Dense__config={"out_features": 512})
    assert read_config(tmp_path).embedding_dimension == 512
    listed = modules("Transformer", "Pooling", "Dense", "Dense")
    laid(tmp_path, modules=listed, _3_Dense__config={"out_features": 64})
    assert read_config(tmp_path).embedding_dimension == 64


@pytest.mark.parametrize(
    ("said", "mode"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, PoolingMode.CLS),
        ({"pooling_mode_max_tokens": True}, PoolingMode.MAX),
        ({"pooling_mode_mean_tokens": True}, PoolingMode.MEAN),
        ({"pooling_mode_mean_sqrt_len_tokens": True}, PoolingMode.MEAN_SQRT_LEN),
        ({"pooling_mode_weightedmean_tokens": True}, PoolingMode.WEIGHTED_MEAN),
        ({"pooling_mode_lasttoken": True}, PoolingMode.LAST_TOKEN),
        ({"pooling_mode": "mean"}, PoolingMode.MEAN),
        ({"pooling_mode": "mean_sqrt_len_tokens"}, PoolingMode.MEAN_SQRT_LEN),
        ({"pooling_mode": ["lasttoken"]}, PoolingMode.LAST_TOKEN),
        ({"word_embedding_dimension": 3}, None),
    ],
)
def test_every_way_of_pooling(tmp_path: Path, said: dict[str, Any], mode: PoolingMode | None) -> None:
    assert read_config(laid(tmp_path, config=BERT, _1_Pooling__config=said)).pooling_mode is mode


def test_pooling_is_found_where_the_modules_say_it_is(tmp_path: Path) -> None:
    listed = [{"path": "pool", "type": "sentence_transformers.models.Pooling"}]
    laid(tmp_path, config=BERT, modules=listed, pool__config={"pooling_mode_cls_token": True}, _1_Pooling__config=MEAN)
    assert read_config(tmp_path).pooling_mode is PoolingMode.CLS


def test_the_first_sentence_transformers_keep_their_config_in_a_folder(tmp_path: Path) -> None:
    listed = [{"path": "0_Transformer", "type": "sentence_transformers.models.Transformer"}]
    laid(
        tmp_path, modules=listed, _0_Transformer__config=BERT, _0_Transformer__tokenizer_config={"model_max_length": 9}
    )
    found = read_config(tmp_path)
    assert (found.embedding_dimension, found.model_max_length) == (384, 9)


@pytest.mark.parametrize(
    ("sentence", "tokenizer", "length"),
    [
        ({"max_seq_length": None}, {"model_max_length": 512}, 512),
        (None, {"model_max_length": 512}, 512),
        (None, {"model_max_length": int(1e30)}, None),
        (None, {"model_max_length": 1e30}, None),
        (None, {"model_max_length": 0}, None),
        (None, {"model_max_length": True}, None),
        (None, {"model_max_length": "512"}, None),
        (None, {}, None),
        (None, None, None),
    ],
)
def test_only_a_sane_length_is_believed(tmp_path: Path, sentence: Any, tokenizer: Any, length: int | None) -> None:
    files = {"sentence_bert_config": sentence, "tokenizer_config": tokenizer}
    laid(tmp_path, config=BERT, **{name: said for name, said in files.items() if said is not None})
    assert read_config(tmp_path).model_max_length == length


def test_results_are_normalized_only_where_a_module_does_it(tmp_path: Path) -> None:
    laid(tmp_path, config=BERT, modules=modules("Transformer", "Pooling"), _1_Pooling__config=MEAN)
    assert read_config(tmp_path).normalize_result is None
    laid(tmp_path, modules=modules("Transformer", "Pooling", "Normalize"))
    assert read_config(tmp_path).normalize_result is True


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "config.json does not exist; copy it"),
        ({"config": ""}, "config.json is not JSON"),
        ({"config": "{'a': 1}"}, "config.json is not JSON"),
        ({"config": "[" * 100_000}, "config.json is not JSON"),
        ({"config": "[]"}, "config.json is not a JSON object"),
        ({"config": " " * (MAX_CONFIG + 1)}, "config.json has more than 10,000,000 bytes"),
        ({"config": {"hidden_size": 3}}, 'config.json has no model_type; add it, such as "model_type": "bert"'),
        ({"config": {"hidden_size": 3, "model_type": 7}}, "has no model_type"),
        ({"config": {"hidden_size": 3, "model_type": ""}}, "has no model_type"),
        ({"config": {"model_type": "bert"}}, "config.json has no hidden_size or dim or d_model or n_embd; add"),
        ({"config": {"model_type": "bert", "hidden_size": "384"}}, "config.json: hidden_size is '384'; set"),
        ({"config": {"model_type": "bert", "dim": -1}}, "config.json: dim is -1"),
        ({"config": {"model_type": "bert", "dim": True}}, "config.json: dim is True"),
        ({"config": BERT, "modules": "{}"}, "modules.json is not a list of modules"),
        ({"config": BERT, "modules": "[3]"}, "modules.json is not a list of modules"),
        ({"config": BERT, "modules": "[{}]"}, "modules.json is not a list of modules"),
        ({"config": BERT, "modules": modules("Transformer", "Pooling")}, "1_Pooling/config.json does not exist"),
        ({"config": BERT, "modules": modules("Dense")}, "0_Dense/config.json does not exist"),
        (
            {"config": BERT, "modules": modules("Dense"), "_0_Dense__config": "{}"},
            "Dense/config.json has no out_features",
        ),
        ({"config": BERT, "_1_Pooling__config": "{"}, "1_Pooling/config.json is not JSON"),
        (
            {"config": BERT, "_1_Pooling__config": {"pooling_mode": "median"}},
            "does not support pooling_mode 'median', only cls, max",
        ),
        ({"config": BERT, "_1_Pooling__config": {"pooling_mode": 5}}, "does not support pooling_mode '5'"),
        (
            {"config": BERT, "_1_Pooling__config": {**MEAN, "pooling_mode_cls_token": True}},
            "several pooling modes .cls_token, mean",
        ),
        ({"config": BERT, "tokenizer_config": "nope"}, "tokenizer_config.json is not JSON"),
        ({"config": BERT, "sentence_bert_config": "[]"}, "sentence_bert_config.json is not a JSON object"),
    ],
)
def test_every_bad_file_is_named(tmp_path: Path, files: dict[str, Any], words: str) -> None:
    with pytest.raises(BadPackage, match=words) as caught:
        read_config(laid(tmp_path, **files))
    assert str(caught.value).startswith(str(tmp_path))
    assert any(mark in str(caught.value) for mark in (";", "only "))


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadPackage, match=r"none\.json does not exist"):
        read_config(tmp_path / "none.json")
    (tmp_path / "config.json").write_bytes(b"\xff{}")
    with pytest.raises(BadPackage, match=r"config\.json is not JSON"):
        read_config(tmp_path)
