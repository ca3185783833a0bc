"""What the emulator's vectors promise: the same everywhere, of length 1, near when texts share words."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from aiomlcommons.emulator.models import _vectors

NEAR = [
    ("the dog barks loudly", "a dog was barking", "stock markets fell today"),
    ("How do I deploy a model?", "deploying models on the cluster", "the river flows to the sea"),
    ("Wisdom is better than rubies", "for wisdom is better than gold", "go to the ant, thou sluggard"),
]


@pytest.mark.parametrize(("text", "near", "far"), NEAR)
@pytest.mark.parametrize("dimension", [128, 384, 768])
def test_texts_that_share_words_are_nearer(text: str, near: str, far: str, dimension: int) -> None:
    one, other, third = _vectors.embed([text, near, far], dimension)
    assert one @ other > one @ third + 0.1


@pytest.mark.parametrize("dimension", [1, 2, 16, 384])
def test_every_text_has_a_unit_vector(dimension: int) -> None:
    rows = _vectors.embed(["hello world", "", "?!", "a " * 1000, "é漢字🙂", "x" * 10_000, "\ud800"], dimension)
    assert rows.shape == (7, dimension)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1.0, rtol=1e-5)


def test_a_text_has_the_same_vector_in_every_batch_and_process() -> None:
    alone = _vectors.embed(["the quick brown fox"], 16)[0]
    np.testing.assert_array_equal(_vectors.embed(["other words", "the quick brown fox"], 16)[1], alone)
    show = "print(vectors.embed(['the quick brown fox'], 16)[0].tobytes().hex())"
    code = f"from aiomlcommons.emulator.models import _vectors as vectors; {show}"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603
    assert other.stdout.strip() == alone.tobytes().hex()


def test_a_repeated_word_says_more_and_less_and_less_more() -> None:
    once, thrice, often = (_vectors.sparse_weights("dog " * n, as_ids=False)["dog"] for n in (1, 3, 30))
    assert once < thrice < often < 10 * once
    cat, even, more, most = _vectors.embed(["cat", "dog cat", "dog cat cat cat", "dog " + "cat " * 30], 384)
    assert cat @ even + 0.05 < cat @ more < cat @ most < 0.99


def test_the_vocabulary_is_forgotten_before_it_grows_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    before = _vectors.embed(["hello world"], 24)
    monkeypatch.setattr(_vectors, "_MOST_WORDS", 100)
    for n in range(50):
        _vectors.embed([" ".join(f"word{n}x{i}" for i in range(50))], 24)
    assert len(_vectors._VOCABULARIES[24]) <= 150
    np.testing.assert_array_equal(_vectors.embed(["hello world"], 24), before)


def test_sentences_are_where_they_are() -> None:
    text = "One is here.  Two is there! And three"
    assert [text[start:end] for start, end in _vectors.sentences(text)] == [
        "One is here.",
        "Two is there!",
        "And three",
    ]
    assert _vectors.sentences(" ") == []
