"""Writes the pages of the API reference, in reStructuredText, for autodoc: a page for each part of the package."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import GenericAlias
from typing import Any, get_args

import attrs
import errors
from blocking import hints_of
from sphinx.ext.napoleon.docstring import GoogleDocstring
from sphinx.util.inspect import stringify_signature

from aiomlcommons import __all__ as root_names
from aiomlcommons.api.search import Search, searches
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.namespace import Operation
from aiomlcommons.record import Record
from aiomlcommons.session import Session
from aiomlcommons.stream import Events, streams
from building import public

# The pages of the modules, in the order of the menu: their titles, and what is said before the names.
MODULES = {
    "ingest": ("Bulk jobs", "``ml.ingest`` runs a job; these are its parts. The guide is :doc:`/ingest`."),
    "ingest.sources": ("Sources of bulk jobs", "What a job reads. ``ml.ingest`` makes them of paths and iterables."),
    "ingest.sinks": ("Sinks of bulk jobs", "Where a job writes. ``ml.ingest`` makes them of paths and functions."),
    "queries": ("Queries", ""),
    "connectors": ("Connectors", ""),
    "frames": ("Data frames", ""),
    "evaluating": ("Evaluation", "What ``ml.evaluate`` gives. The guide is :doc:`/evaluating`."),
    "reembedding": ("Re-embedding", "What ``ml.reembed`` gives. The guide is :doc:`/reembedding`."),
    "diagnosis": ("Diagnosis", "What ``ml.diagnose`` gives. The guide is :doc:`/doctor`."),
    "blocking": ("The synchronous session", "The guide is :doc:`/synchronous`."),
    "emulator": ("The emulator", ""),
    "emulator.pytest_plugin": ("Fixtures for pytest", ""),
}
# The parts that a session is made of, by their classes.
TOPICS = {
    "Client": "Opening, closing, options",
    "Inference": "Embedding and ranking",
    "Ingests": "Bulk jobs",
    "Searches": "Searching",
    "Waits": "Tasks",
    "Reembeds": "Re-embedding",
    "Evaluates": "Evaluation",
    "Diagnoses": "Diagnosis",
    "Calls": "Any request",
}
# What signatures mention and nobody needs to know: how the parts above are made.
INNER = ("aiomlcommons.emulator.", "aiomlcommons.namespace.", "aiomlcommons.portal.", "aiomlcommons.client.")
Pages = dict[str, str]


@attrs.define
class Reference:
    """The pages of the reference, and the objects that they document already: each has one place."""

    pages: Pages = attrs.field(factory=dict)
    seen: set[int] = attrs.field(factory=set)
    mentioned: list[type] = attrs.field(factory=list)

    def write(self) -> Pages:
        """Return the text of each page by its path below ``api/``, without suffix."""
        for name in ("", *public.PACKAGES, *public.api_modules(), *public.integration_modules()):
            public.import_all(name)
        self.pages["session"] = self._session()
        for name, cls in sorted(public.spaces().items()):
            self.pages[f"ml.{name}"] = self._space(name, cls)
        self.pages["errors"] = self._errors()
        self.pages["values"] = self._values()
        for name, (title, words) in MODULES.items():
            self.pages[name] = self._module(name, title, words)
        for name in public.integration_modules():
            self.pages[name] = self._module(name, f"``aiomlcommons.{name}``", "")
        for name in public.api_modules():
            if text := self._records(name):
                self.pages[f"records/{name.removeprefix('api.')}"] = text
        self.mentioned.insert(0, Record)
        self.pages["others"] = self._others()
        return self.pages

    # ---- pages ---------------------------------------------------------------------------------------------------

    def _session(self) -> str:
        self.seen.add(id(Session))
        lines = [*_title("Session"), ".. autoclass:: aiomlcommons.Session", ""]
        methods = public.methods_of(Session)
        for home, title in TOPICS.items():
            lines += _heading(title)
            for name in [name for name in methods if _home(name).__name__ == home]:
                lines += self._method(f"aiomlcommons.Session.{name}", methods.pop(name))
        if methods:
            raise KeyError(f"TOPICS lacks the class that has {list(methods)}")
        lines += [*_heading("Calls of endpoints"), ".. py:currentmodule:: aiomlcommons", ""]
        for name, call in public.calls_of(Session).items():
            lines += self._call(f"Session.{name}", call)
        return "\n".join(lines)

    def _space(self, name: str, cls: type) -> str:
        self.seen.add(id(cls))
        doc = inspect.cleandoc(cls.__doc__ or "")
        lines = [*_title(f"``ml.{name}``"), doc.partition(": ")[2].capitalize() or doc, ""]
        calls, methods = public.calls_of(cls), public.methods_of(cls)
        lines += [".. py:currentmodule:: aiomlcommons", ""]
        for each in sorted({**calls, **methods}):
            if each in calls:
                lines += self._call(f"Session.{name}.{each}", calls[each])
            else:
                lines += self._own(f"Session.{name}.{each}", methods[each])
        return "\n".join(lines)

    def _errors(self) -> str:
        lines = [
            *_title("Errors"),
            "Each class with its attributes. :doc:`/errors` says what helps against each, and :doc:`/trouble` how a",
            "response becomes one of them.",
            "",
        ]
        for cls in errors.classes():
            lines += self._auto("exception", _public_name(cls), cls, ":members:", ":show-inheritance:")
        return "\n".join(lines)

    def _values(self) -> str:
        lines = [
            *_title("Options and values"),
            "What a session is given, and what it gives: all from ``aiomlcommons``.",
        ]
        lines.append("")
        for name in sorted(root_names, key=str.lower):
            lines += self._name("", name)
        return "\n".join(lines)

    def _module(self, name: str, title: str, words: str) -> str:
        lines = [*_title(title), f".. automodule:: aiomlcommons.{name}", "", words, ""]
        for each in sorted(public.names_of(name), key=str.lower):
            lines += self._name(name, each)
        return "\n".join(lines)

    def _records(self, name: str) -> str:
        module = public.module(name)
        defined = [cls for cls in vars(module).values() if inspect.isclass(cls) and cls.__module__ == module.__name__]
        classes = [cls for cls in defined if not cls.__name__.startswith("_") and id(cls) not in self.seen]
        if not classes:
            return ""
        lines = [*_title(f"``aiomlcommons.{name}``"), f".. automodule:: aiomlcommons.{name}", ""]
        for cls in classes:
            lines += self._auto("class", f"aiomlcommons.{name}.{cls.__name__}", cls, *_members(cls))
        return "\n".join(lines)

    def _others(self) -> str:
        lines = [*_title("Other types"), "What the signatures of the other pages mention.", ""]
        for cls in self._unseen():
            lines += self._auto("class", f"{cls.__module__}.{cls.__qualname__}", cls, *_members(cls))
        return "\n".join(lines)

    def _unseen(self) -> Iterator[type]:
        """Yield what signatures mention and no page has; while they are written, more may come."""
        for cls in self.mentioned:  # which grows meanwhile
            path = f"{cls.__module__}.{cls.__qualname__}"
            if id(cls) not in self.seen and "._" not in path and not path.startswith(INNER):
                yield cls

    # ---- objects -------------------------------------------------------------------------------------------------

    def _name(self, module: str, name: str) -> list[str]:
        value = getattr(public.module(module), name)
        full = ".".join(filter(None, ("aiomlcommons", module, name)))
        if id(value) in self.seen:
            return []
        if inspect.isclass(value):
            return self._auto("class", full, value, *_members(value))
        if inspect.isroutine(value):
            return self._auto("function", full, value)
        if fixture := getattr(value, "__wrapped__", None):  # of pytest
            return [f".. py:data:: {full}", "", *_indented(inspect.cleandoc(fixture.__doc__ or "")), ""]
        return self._auto("data", full, value, ":no-value:")

    def _auto(self, kind: str, name: str, value: Any, *options: str) -> list[str]:
        self.seen.add(id(value))
        for one in [value, *(public.methods_of(value).values() if inspect.isclass(value) else [])]:
            self._mention(one)
        return [f".. auto{kind}:: {name}", *_indented("\n".join(options)), ""]

    def _method(self, full: str, member: Any) -> list[str]:
        self._mention(member)
        kind = "property" if isinstance(member, property) else "method"
        return [f".. auto{kind}:: {full}", ""]

    def _own(self, full: str, member: Any) -> list[str]:
        """Return the directive of a method of a namespace that is no call of an endpoint."""
        self._mention(member)
        plain = inspect.unwrap(getattr(member, "__func__", member))
        signature = inspect.signature(plain)
        resolved = _resolved(signature.replace(parameters=list(signature.parameters.values())[1:]), hints_of(plain))
        option = "   :async:" if inspect.iscoroutinefunction(plain) else ""
        return _directive(full, resolved, [option], inspect.cleandoc(member.__doc__ or ""))

    def _call(self, full: str, call: Operation[Any]) -> list[str]:
        request: Any = call.request
        hints = hints_of(request)
        answer = _answer(call)
        for hint in (*hints.values(), answer):
            self.mentioned += public.classes_in(hint)
        signature = _resolved(inspect.signature(request), {**hints, "return": answer})
        option = "" if isinstance(call, searches | streams) else "   :async:"
        words = [inspect.cleandoc(request.__doc__ or ""), "", *_facts(request)]
        return _directive(full, signature, [option], "\n".join(words))

    def _mention(self, member: Any) -> None:
        plain = member.fget if isinstance(member, property) else inspect.unwrap(getattr(member, "__func__", member))
        if (inspect.isclass(plain) or inspect.isfunction(plain)) and plain.__module__.startswith("aiomlcommons"):
            try:
                hints = hints_of(plain)
            except (NameError, TypeError):  # of names in quotes, which only type checkers understand
                return
            for name, hint in hints.items():
                if not name.startswith("_"):
                    self.mentioned += public.classes_in(hint)


def _facts(request: Any) -> list[str]:
    spec = request.endpoint
    routes = ", ".join(f"``{route}``" for route in spec.routes)
    since = f"{spec.since}, until {spec.until}" if spec.until else spec.since
    sent = f"Sends :class:`~{request.__module__}.{request.__qualname__}`: {routes}; since OpenSearch {since}"
    return [f"{sent}; {'repeatable' if spec.repeatable else 'sent once'}."]


def _answer(call: Operation[Any]) -> Any:
    answer = call.request.endpoint.returns  # type: ignore[attr-defined]
    if isinstance(call, searches):
        return GenericAlias(Search, get_args(answer))
    return GenericAlias(Events, answer) if isinstance(call, streams) else answer


def _resolved(signature: inspect.Signature, hints: dict[str, Any]) -> str:
    found = [one.replace(annotation=hints.get(name, one.annotation)) for name, one in signature.parameters.items()]
    answer = hints.get("return", inspect.Signature.empty)
    return stringify_signature(
        signature.replace(parameters=found, return_annotation=answer), unqualified_typehints=True
    )


def _directive(full: str, signature: str, options: Iterable[str], words: str) -> list[str]:
    # Napoleon reads the sections of docstrings that autodoc finds; these do not pass through it.
    found = str(GoogleDocstring(words, what="method"))
    return [f".. py:method:: {full}{signature}", *filter(None, options), "", *_indented(found), ""]


def _members(cls: type) -> list[str]:
    if issubclass(cls, MLCommonsError):
        return [":members:", ":show-inheritance:"]
    return [":members:", ":undoc-members:"]


def _home(name: str) -> type:
    return next(cls for cls in Session.__mro__ if name in vars(cls))


def _public_name(cls: type) -> str:
    return f"aiomlcommons.{cls.__name__}" if cls.__name__ in root_names else f"{cls.__module__}.{cls.__name__}"


def _title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _heading(text: str) -> list[str]:
    return [text, "-" * len(text), ""]


def _indented(text: str) -> list[str]:
    return [f"   {line}".rstrip() for line in text.splitlines()]


def write(folder: Path) -> None:
    """Write the pages into a folder, where they differ, and remove others that were written before."""
    pages = Reference().write()
    paths = {folder / f"{name}.rst": text for name, text in pages.items()}
    for path in set(folder.rglob("*.rst")) - paths.keys():
        path.unlink()
    for path, text in paths.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
