"""The ids of calls, by which the server's logs name them."""

from __future__ import annotations

import os
import re
import sys

import pytest

from aiomlcommons.net.opaque_ids import new_opaque_id

FORM = re.compile(r"aiomlcommons-[0-9a-f]{16}")


def test_each_id_is_another_one_of_sixteen_digits() -> None:
    ids = [new_opaque_id() for _ in range(1_000)]
    assert len(set(ids)) == len(ids)
    assert all(FORM.fullmatch(one) for one in ids)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_process_has_ids_of_its_own() -> None:
    new_opaque_id()
    reading, writing = os.pipe()
    if not (child := os.fork()):
        os.write(writing, new_opaque_id().encode())
        os._exit(0)
    os.waitpid(child, 0)
    with os.fdopen(reading, "rb") as pipe:
        os.close(writing)
        of_child = pipe.read().decode()
    assert FORM.fullmatch(of_child)
    # The child counts on from another number, so that the next ones of both have nothing in common.
    assert not {of_child} & {new_opaque_id() for _ in range(1_000)}
