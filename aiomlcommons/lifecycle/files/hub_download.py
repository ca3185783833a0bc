"""Download of a model's files from Hugging Face by its own library, in a thread, into its cache."""

from __future__ import annotations

import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons.__about__ import __version__
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.lifecycle.errors import BadPackage, NotDownloaded
from aiomlcommons.lifecycle.files.hub_repository import HubRepository
from aiomlcommons.lifecycle.files.package import escapes
from aiomlcommons.masking import Veil, raise_alone, shown, without_credentials

_COMMIT = re.compile(r"[0-9a-f]{40}")
# Seconds. The library has limits of its own for downloads.
_TIMEOUT = 30.0


class _StoppedError(Exception):
    """The caller no longer waits for the files."""


@attrs.define(eq=False)
class HubDownload:
    """A download under way. Another thread may read the counts, and stop it.

    Attributes:
        file: The file that is being downloaded.
        done, total: The bytes of all files; ``total`` is None until the repository has been asked.
    """

    repository: HubRepository
    model_format: str | None
    file: str = ""
    done: int = 0
    total: int | None = None
    _before: int = attrs.field(default=0, init=False)
    _stopped: threading.Event = attrs.field(factory=threading.Event, init=False)

    def stop(self) -> None:
        """Stop at the next piece that arrives; what is in the cache already is used the next time."""
        self._stopped.set()

    def run(self) -> Mapping[str, Path]:
        """Return the downloaded files by their names in the folder to pack. It blocks.

        Raises NotDownloaded, BadPackage, and ImportError without the library.
        """
        library = _library()
        with self._told(library):
            return self._run(library)

    def _run(self, library: Any) -> Mapping[str, Path]:
        given = self.repository
        hub = library.HfApi(
            endpoint=given.endpoint,
            token=given.token.reveal() if given.token else None,
            library_name="aiomlcommons",
            library_version=__version__,
        )
        found = hub.model_info(given.repo_id, revision=given.revision, files_metadata=True, timeout=_TIMEOUT)
        if found.sha is not None and not _COMMIT.fullmatch(found.sha):  # it becomes part of the path of a file
            raise NotDownloaded(f"{given} cannot be downloaded: {given.endpoint} gives it no hash of a commit")
        sizes = {one.rfilename: one.size or 0 for one in found.siblings or ()}
        model_file = given.model_file(sizes, self.model_format)
        needed = given.needed(sizes, model_file)
        self.total = sum(sizes[file] for file in needed)
        got = {}
        for self.file, name in needed.items():
            _guard(library.get_session())
            # By the hash of the commit: all files are of one revision, and those in the cache are not asked for.
            options = {"revision": found.sha, "cache_dir": given.cache_dir, "tqdm_class": self._bar(library)}
            got[name] = Path(hub.hf_hub_download(given.repo_id, self.file, **options))
            self._before += sizes[self.file]
            self.done = self._before
        _check_torch_script(given, model_file, got[needed[model_file]])
        return got

    def _count(self, of_file: int) -> None:
        # A file may have two bars, for bytes that travelled and for bytes that were written, and begin anew.
        self.done = max(self.done, min(self._before + of_file, self.total or 0))

    def _bar(self, library: Any) -> type[Any]:
        """Return a progress bar that shows nothing, and counts."""
        download = self

        class Bar(library.utils.tqdm):  # type: ignore[misc]
            def __init__(self, *arguments: Any, **options: Any) -> None:
                super().__init__(*arguments, **{**options, "disable": True})

            def update(self, n: float | None = 1) -> None:
                if download._stopped.is_set():
                    raise _StoppedError
                self.n += n or 0
                download._count(int(self.n))

        return Bar

    @contextmanager
    def _told(self, library: Any) -> Iterator[None]:
        """Raise NotDownloaded in place of the errors of the library, which hold requests with the token."""
        try:
            yield
        except MLCommonsError:
            raise
        except Exception as error:
            raise_alone(NotDownloaded(self._words(error, library)))

    def _words(self, error: Exception, library: Any) -> str:
        errors, endpoint = library.errors, self.repository.endpoint or library.constants.ENDPOINT
        where = f"{self.repository} at {without_credentials(endpoint)}"
        if isinstance(error, errors.GatedRepoError):
            return f"{where} is gated: accept its conditions on its page, and give the token of that account as token="
        if isinstance(error, errors.RepositoryNotFoundError):
            return f"there is no {where}, or it is private: check the name, or give a token= that may read it"
        if isinstance(error, errors.RevisionNotFoundError):
            return (
                f"{self.repository.repo_id} has no revision {self.repository.revision!r}; see the branches on its page"
            )
        if isinstance(error, errors.OfflineModeIsEnabled):
            return f"{where} cannot be downloaded while HF_HUB_OFFLINE is set; unset it, or give FileModel(path=...)"
        token = self.repository.token
        text = Veil((token.reveal(),) if token else ()).over(without_credentials(str(error)))
        return f"{where} cannot be downloaded: {type(error).__name__}: {' '.join(text.split())[:300]}"


def _guard(client: Any) -> None:
    """Have the client of the library, which it makes anew once it is closed, refuse what leaves its cache."""
    hooks = client.event_hooks["response"]
    if _check_paths not in hooks:
        hooks.append(_check_paths)


def _check_paths(response: Any) -> None:
    """Refuse a commit or a tag of a file that is a path: the library writes to files that it names after them."""
    commit = response.headers.get("x-repo-commit")
    if commit is None:  # it takes no names from this one
        return
    tags = [response.headers.get(name) for name in ("x-linked-etag", "etag")]
    names = [tag.removeprefix("W/").strip('"') for tag in tags if tag]
    if not _COMMIT.fullmatch(commit) or any(map(escapes, names)):
        paths = " or ".join(map(shown, [commit, *names]))
        raise NotDownloaded(f"{response.url.host} names a file {paths}, which could be written outside the cache")


def _library() -> Any:
    try:
        # It takes long to import, and few programs need it.
        import huggingface_hub
    except ImportError as error:
        raise ImportError("FileModel.from_hub needs huggingface_hub: pip install 'aiomlcommons[hub]'") from error
    return huggingface_hub


def _check_torch_script(repository: HubRepository, name: str, file: Path) -> None:
    """Raise BadPackage for weights that torch.save wrote, which have the same suffix as TorchScript."""
    if file.suffix != ".pt":
        return
    names = zipfile.ZipFile(file).namelist() if zipfile.is_zipfile(file) else []
    if not any(member.endswith("/constants.pkl") for member in names):
        raise BadPackage(f"{repository}: {name} is no TorchScript, which torch.jit.save writes, but holds weights only")
