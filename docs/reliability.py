"""Generate ``reliability.md`` from the runs on record in ``reliability/``: ``make docs``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))  # the ledger is no part of the package

from tests.reliability.ledger import Run, Trials, read  # noqa: E402

PAGE = HERE / "reliability.md"

HEAD = """# Reliability: what is promised, and how often it was tried

`make docs` generates this page from the runs on record in `docs/reliability/`. Each row is one kind of fault: what the
client promises under it, which was written down before the run, the test, how often the fault was really met, and how
often the promise was broken (*losses*). A trial in which the fault was not met, since the work ended before it, is
not counted. Each loss that was found on the way was mended before the run that is shown here; CHANGELOG.md tells of
them.

**{kinds} kinds of faults, {trials:,} trials, {losses:,} losses.**

| group | kinds | trials | losses | tried against |
| --- | ---: | ---: | ---: | --- |
"""

REPEAT = """
## Repeat it

Each program prints every loss as it happens, with the seed that repeats it, and with `--write` puts its rows in place
of those here. In a checkout, after `make install`:

"""

LIMITS = """
## What is not promised

- **A changed byte that leaves a well-formed response.** Without TLS nothing but the checksums of TCP tells that a
  number of a vector was altered on the way; with TLS such a record is refused. A header that names the type of the
  content can be garbled to another valid one: that ends as a `DecodeError`, which is not repeated.
- **Exactly once.** A call that is not idempotent is sent once, unless nothing of it was sent; if its answer was lost,
  the error says that it was sent (`ConnectError.sent`), and only the server knows whether it was done. A job writes
  each id once into a file or an index, but calls a function again with the documents since its last checkpoint, and an
  index that makes its own ids (`ids="auto"`) may have them twice.
- **A stream that goes on.** A stream that breaks ends with an error; what came before it is the beginning of the
  response.
- **An answer to nobody that arrives together with the request.** What arrives on an idle connection before the next
  request is noticed, and the connection is dropped. What arrives after that cannot be told from the answer by HTTP/1.1.
- **Trials are not all networks.** Client, proxy and emulator share one machine, and often one process: clocks do not
  drift, and the kernel loses no packet. Where it says OpenSearch, the server was a real one.
"""


def page() -> str:
    """Return the content of the page."""
    runs = read()
    rows = [row for run in runs for row in run.rows]
    names = list(dict.fromkeys(row.group for row in rows))
    groups = {name: [row for row in rows if row.group == name] for name in names}
    parts = [
        HEAD.format(kinds=kinds(rows), trials=total(rows), losses=lost(rows)),
        *(summary(name, found) for name, found in groups.items()),
        *(section(name, found) for name, found in groups.items()),
        *figures(runs),
        REPEAT,
        "```console\n" + "".join(f"{run.command}\n" for run in runs) + "```\n",
        LIMITS,
    ]
    return "".join(parts)


def kinds(rows: Iterable[Trials]) -> int:
    """Return how many kinds of faults there are, each counted once whatever it was tried against."""
    return len({(row.group, row.fault) for row in rows})


def total(rows: Iterable[Trials]) -> int:
    """Return the sum of the trials."""
    return sum(row.trials for row in rows)


def lost(rows: Iterable[Trials]) -> int:
    """Return the sum of the losses."""
    return sum(row.losses for row in rows)


def summary(name: str, rows: list[Trials]) -> str:
    """Return the line of a group in the first table."""
    against = ", ".join(dict.fromkeys(row.against for row in rows))
    return f"| [{name}](#{_anchor(name)}) | {kinds(rows)} | {total(rows):,} | {lost(rows):,} | {against} |\n"


def section(name: str, rows: list[Trials]) -> str:
    """Return the table of a group. A kind that was tried against several servers has one row."""
    faults = {(row.fault, row.promise): [other for other in rows if other.fault == row.fault] for row in rows}
    lines = "".join(_line(fault, promise, found) for (fault, promise), found in faults.items())
    head = "| fault | promise | test | tried against | trials | losses |\n| --- | --- | --- | --- | ---: | ---: |\n"
    return f"\n## {name[:1].upper()}{name[1:]}\n\n{head}{lines}"


def figures(runs: Iterable[Run]) -> Iterator[str]:
    """Return what else the runs measured."""
    measured = [(run.command, run.figures) for run in runs if run.figures]
    if measured:
        yield "\n## Figures\n\n"
    for command, found in measured:
        yield f"`{command}`:\n\n" + "".join(f"- {name}: {value}\n" for name, value in found.items()) + "\n"


def _line(fault: str, promise: str, rows: list[Trials]) -> str:
    tests = ", ".join(f"`{test}`" for test in dict.fromkeys(row.test for row in rows))
    against = ", ".join(f"{row.against} ({row.trials:,})" if len(rows) > 1 else row.against for row in rows)
    cells = (fault, promise, tests, against, f"{total(rows):,}", f"{lost(rows):,}")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def _anchor(name: str) -> str:
    return "".join(letter for letter in name.lower().replace(" ", "-") if letter.isalnum() or letter == "-")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
