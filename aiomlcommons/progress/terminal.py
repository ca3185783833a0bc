"""Live displays at the foot of a terminal, which several calls share, below what is printed and logged meanwhile."""

from __future__ import annotations

import atexit
import shutil
import threading
from collections.abc import Collection
from contextlib import suppress
from typing import Protocol, TextIO
from weakref import WeakValueDictionary

from aiomlcommons.progress._above import Above, behind
from aiomlcommons.progress.display import trouble
from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.words import fit, plain

_boards: WeakValueDictionary[tuple[int, bool], Board] = WeakValueDictionary()
_lock = threading.RLock()


class Foot(Protocol):
    """The last lines of a terminal, drawn anew at each change."""

    def draw(self, states: Collection[Progress]) -> None:
        """Draw the states of the calls under way."""

    def say(self, text: str) -> None:
        """Print a text of whole lines above."""

    def show_cursor(self) -> None:
        """Show the cursor, if it is hidden."""

    def close(self) -> None:
        """Erase the lines, and show the cursor again."""


class Board:
    """The foot of one terminal: there as long as a call is under way. Any thread may use it."""

    def __init__(self, out: TextIO, *, with_rich: bool) -> None:
        self._out, self._with_rich = out, with_rich
        self._states: dict[object, Progress] = {}
        self._foot: Foot | None = None
        self._above: Above | None = None

    def show(self, key: object, progress: Progress) -> None:
        """Show the state of a call, beside those of others."""
        with _lock, suppress(OSError, ValueError):  # a terminal may be closed while the job itself goes on
            self._states[key] = progress
            if self._foot is None:
                self._foot = self._opened()
                self._above = Above(self._out, self.say)
                atexit.register(self.close)
            self._foot.draw(self._states.values())

    def say(self, text: str) -> None:
        """Print a text of whole lines above the states."""
        with _lock, suppress(OSError, ValueError):
            if self._foot is not None:
                self._foot.say(text)
            else:
                self._out.write(text)
                self._out.flush()

    def remove(self, key: object) -> None:
        """Show a call no more."""
        with _lock, suppress(OSError, ValueError):
            self._states.pop(key, None)
            if not self._states:
                self.close()
            elif self._foot is not None:
                self._foot.draw(self._states.values())

    def show_cursor(self) -> None:
        """Show the cursor, which stays, since the process may be killed before the end."""
        with _lock, suppress(OSError, ValueError):
            if self._foot is not None:
                self._foot.show_cursor()

    def close(self) -> None:
        """Erase all, and give back the terminal."""
        with _lock:
            foot, above, self._foot, self._above = self._foot, self._above, None, None
            self._states.clear()
            if foot is None:
                return
            atexit.unregister(self.close)
            with suppress(OSError, ValueError):
                foot.close()
            if above is not None:
                above.close()

    def _opened(self) -> Foot:
        if self._with_rich:
            from aiomlcommons.progress.blocks import Blocks

            return Blocks(self._out)
        return OneLine(self._out)


def board_on(out: TextIO, *, with_rich: bool) -> Board:
    """Return the board of a terminal, which calls that are under way at once share."""
    with _lock:
        terminal = behind(out)
        # A board holds its terminal, so that no other one has this id while there is the board.
        return _boards.setdefault((id(terminal), with_rich), Board(terminal, with_rich=with_rich))


def show_cursors() -> None:
    """Show the cursor of each terminal on which a call is shown."""
    for board in list(_boards.values()):
        board.show_cursor()


class OneLine:
    """The states of all calls on one line, cut to the width of the terminal; without rich."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._line = out, ""

    def draw(self, states: Collection[Progress]) -> None:
        """Draw the line over the one before."""
        width = shutil.get_terminal_size().columns - 1
        each = max(1, (width - 3 * (len(states) - 1)) // max(1, len(states)))
        self._line = fit(" | ".join(_cut(state, each) for state in states), width)
        self._write(f"\r\033[K{self._line}")

    def say(self, text: str) -> None:
        """Print a text in place of the line, and the line below it."""
        self._write(f"\r\033[K{text}{self._line}")

    def show_cursor(self) -> None:
        """Do nothing: it was never hidden."""

    def close(self) -> None:
        """Erase the line."""
        self._write("\r\033[K")

    def _write(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()


def _cut(state: Progress, width: int) -> str:
    """Return the state in so many characters: at most a third of them are the name, so that figures are seen."""
    if not state.has_bar:
        return fit(plain(str(state), width), width)
    name = fit(plain(state.name, max(8, width // 3)), max(8, width // 3))
    return fit(plain(f"{name} {state.line}; {state.words}".rstrip("; ")), width)


class TerminalDisplay:
    """One call on the board of a terminal: its steps as lines that stay, its state at the foot."""

    def __init__(self, board: Board, hidden: Collection[Phase] = (), *, says_end: bool = True) -> None:
        self._board, self._hidden, self._says_end = board, hidden, says_end
        self._last: Progress | None = None

    def heard(self, progress: Progress, *, step: bool) -> None:
        """Print a step, and show the state."""
        if step and progress.phase not in self._hidden:
            self._board.say(f"{plain(str(progress))}\n")
        self._board.show(self, progress)
        self._last = progress

    def ended(self, error: BaseException | None) -> None:
        """Remove the state, and print how a failed call ended."""
        self._board.remove(self)
        if self._says_end and self._last is not None and (how := trouble(self._last, error)):
            self._board.say(f"{plain(f'{how}: {self._last}')}\n")
