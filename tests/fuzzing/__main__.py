"""Decode any number of made-up answers: ``python -m tests.fuzzing N [SEED] [DECODER ...]``. Ends with 1 at a fault."""

from __future__ import annotations

import argparse
import collections
import sys
import time
import traceback
import warnings
from random import Random

from tests.fuzzing.check import Difference
from tests.fuzzing.decoders import DECODERS


def main() -> int:
    """Run; print the number of inputs, crashes and differences of each decoder."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzzing", description=__doc__)
    parser.add_argument("number", type=int, help="inputs for each decoder")
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("decoders", nargs="*", help=f"some of {', '.join(DECODERS)}; default: all")
    options = parser.parse_args()
    warnings.simplefilter("error")
    found: collections.Counter[str] = collections.Counter()
    for name in options.decoders or DECODERS:
        began = time.perf_counter()
        faults: collections.Counter[str] = collections.Counter()
        for i in range(options.number):
            seed = f"{name} {options.seed + i}"
            try:
                DECODERS[name](Random(seed))  # noqa: S311 - made-up answers
            except Exception as error:
                kind = "differences" if isinstance(error, Difference) else "crashes"
                faults[kind] += 1
                if faults[kind] <= 3:
                    print(f"{kind}: {name}, seed {options.seed + i}", file=sys.stderr)
                    traceback.print_exc(limit=-4)
        seconds = time.perf_counter() - began
        told = ", ".join(f"{faults[kind]} {kind}" for kind in ("crashes", "differences"))
        print(f"{name:12} {options.number:10,} inputs, {told}, {seconds:.1f} s", flush=True)
        found += faults
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
