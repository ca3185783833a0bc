"""The files of a model on Hugging Face, as a folder that can be packed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import anyio
import anyio.to_thread
import attrs

from aiomlcommons.concurrency import beside
from aiomlcommons.lifecycle.files.hub_download import HubDownload
from aiomlcommons.lifecycle.files.hub_repository import HubRepository
from aiomlcommons.progress.event import Phase, Progress, Tell

# Seconds between two events of the bytes that have arrived.
_EVERY = 0.2


async def downloaded(
    repository: HubRepository, folder: Path, *, model_format: str | None, name: str, tell: Tell
) -> Path:
    """Download the files that a model needs, or take them from the cache, and return a folder of them within another.

    A cancelled caller does not wait: the thread ends at the next piece that arrives. Raises NotDownloaded, BadPackage.
    """
    work = _Work(HubDownload(repository, model_format))
    told = Progress(phase=Phase.DOWNLOADING, name=name, words="" if name == str(repository) else str(repository))
    tell(told)
    try:
        async with beside(work.run):
            while not await work.has_ended(_EVERY):
                if (now := work.progress(told)) != told:
                    tell(told := now)
    finally:
        work.download.stop()
    files = work.files()
    tell(work.progress(told))
    return await anyio.to_thread.run_sync(_linked, files, folder / repository.repo_id)


@attrs.define
class _Work:
    """A download in a thread, whose error is kept: a task group would wrap it in an ExceptionGroup."""

    download: HubDownload
    _files: Mapping[str, Path] | None = None
    _error: Exception | None = None
    _ended: anyio.Event = attrs.field(factory=anyio.Event)

    async def run(self) -> None:
        try:
            self._files = await anyio.to_thread.run_sync(self.download.run, abandon_on_cancel=True)
        except Exception as error:
            self._error = error
        self._ended.set()

    async def has_ended(self, seconds: float) -> bool:
        """Wait at most so long for the end; return whether it came."""
        with anyio.move_on_after(seconds):
            await self._ended.wait()
        return self._ended.is_set()

    def files(self) -> Mapping[str, Path]:
        """Return the files. Raises the error of the download."""
        if self._files is None:
            raise self._error or AssertionError("it has ended")
        return self._files

    def progress(self, told: Progress) -> Progress:
        if self.download.total is None:
            return told  # the hub has not answered yet
        return attrs.evolve(
            told, words=self.download.file, done=self.download.done, total=self.download.total, unit="bytes"
        )


def _linked(files: Mapping[str, Path], folder: Path) -> Path:
    """Make a folder of the files under other names, without a copy of them where the system has links."""
    for name, file in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.symlink_to(file.absolute())
        except OSError:
            shutil.copyfile(file, place)
    return folder
