"""The exit codes of every command, and the table of them that users read."""

from __future__ import annotations

OK = 0
FAILED = 1
USAGE = 2
SOME_FAILED = 3
STILL_RUNNING = 4
NOT_AS_REQUIRED = 5
# What a shell reports for a process that a signal has ended: 128 and the number of the signal.
BY_SIGNAL = 128
HUNG_UP = BY_SIGNAL + 1
INTERRUPTED = BY_SIGNAL + 2
TERMINATED = BY_SIGNAL + 15

MEANINGS = {
    OK: "success",
    FAILED: "failed or not confirmed (see standard error), or `doctor` found a problem",
    USAGE: "wrong usage or configuration: nothing was sent",
    SOME_FAILED: "the job ended, but some documents failed: see its dead letters",
    STILL_RUNNING: "the time of `tasks wait --timeout` is over, and the task still runs",
    NOT_AS_REQUIRED: "a figure is not as --require says",
    HUNG_UP: "the terminal was closed (SIGHUP)",
    INTERRUPTED: "interrupted (Ctrl-C)",
    TERMINATED: "terminated (SIGTERM)",
}
"""What each code means. Nothing but documents, results and JSON is on standard output, whatever the code."""


def table() -> str:
    """Return the table as text, a code a line."""
    return "\n".join(f"  {code:>3}  {words}" for code, words in MEANINGS.items())
