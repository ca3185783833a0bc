"""Requests of a Python program to callgrind, under which it runs: where the counting begins and what was counted.

Valgrind takes a request for the instructions below, which do nothing on a processor. They are that of
``VALGRIND_DO_CLIENT_REQUEST`` in valgrind.h for x86-64; ctypes calls them, so that no compiler is needed.
"""

from __future__ import annotations

import ctypes
import mmap
import platform
from collections.abc import Callable

# mov rax, rdi; xor edx, edx; rol rdi by 3, 13, 61 and 51; xchg rbx, rbx; mov rax, rdx; ret
CODE = bytes.fromhex("4889f8 31d2 48c1c703 48c1c70d 48c1c73d 48c1c733 4887db 4889d0 c3")
PROCESSORS = ("x86_64", "AMD64")
RUNNING_ON_VALGRIND = 0x1001
CALLGRIND = ord("C") << 24 | ord("T") << 16
ZERO, DUMP_AT, START, STOP = (CALLGRIND + number for number in (1, 3, 4, 5))


class Marks:
    """Marks where counts begin and end. Raises OSError if the program does not run under valgrind."""

    def __init__(self) -> None:
        if platform.machine() not in PROCESSORS:
            raise OSError(f"the instructions that valgrind knows are not written down for {platform.machine()}")
        self._room = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        self._room.write(CODE)
        address = ctypes.addressof(ctypes.c_char.from_buffer(self._room))
        self._call: Callable[[int], int] = ctypes.CFUNCTYPE(ctypes.c_uint64, ctypes.c_void_p)(address)
        if not self._ask(RUNNING_ON_VALGRIND):
            raise OSError("this program does not run under valgrind")

    def begin(self) -> None:
        """Count from here on."""
        self._ask(START)
        self._ask(ZERO)

    def end(self, name: str) -> None:
        """Have the counts since ``begin`` written, with a name, and stop counting."""
        label = ctypes.create_string_buffer(name.encode())
        self._ask(DUMP_AT, ctypes.addressof(label))
        self._ask(STOP)

    def _ask(self, request: int, argument: int = 0) -> int:
        words = (ctypes.c_uint64 * 6)(request, argument)
        return self._call(ctypes.addressof(words))
