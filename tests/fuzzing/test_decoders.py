"""Every decoder, on made-up answers; ``python -m tests.fuzzing`` tries any number of them."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzzing.decoders import DECODERS


@pytest.mark.parametrize("name", DECODERS)
@settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example],
)
@given(random=st.randoms(use_true_random=False))
def test_whatever_comes_is_decoded_as_by_plain_python_or_is_the_packages_own_error(name: str, random: Random) -> None:
    DECODERS[name](random)
