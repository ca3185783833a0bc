"""Checks the built site: every link leads to a page and to an anchor that are there, and every page can be reached."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import aiohttp
import attrs

# Pages of Sphinx's own, which no menu needs to have; the search field leads to the second one.
OWN = {"genindex.html", "search.html", "py-modindex.html"}


class Page(HTMLParser):
    """A page: what its links, images and scripts lead to, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, _: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what a tag leads to, and what leads to it."""
        found = dict(attributes)
        self.links += [url for url in (found.get("href"), found.get("src")) if url]
        self.anchors |= {name for name in (found.get("id"), found.get("name")) if name}


@attrs.frozen
class Checked:
    """What is wrong with the links of a site, and what they lead to outside of it."""

    pages: int
    links: int
    outward: int
    broken: list[str]
    orphans: list[str]
    external: list[str]


def check(site: Path) -> Checked:
    """Read every page of a built site."""
    pages = {
        path: Page(path.read_text(encoding="utf-8"))
        for path in sorted(site.rglob("*.html"))
        if "_static" not in path.parts
    }
    broken, external, count = list[str](), list[str](), 0
    for path, page in pages.items():
        for link in page.links:
            count += 1
            if urlsplit(link).scheme in {"http", "https"}:
                external.append(link.partition("#")[0])
            elif why := _fault(path, link, site, pages):
                broken.append(f"{path.relative_to(site)}: {link} {why}")
    reached = set(_reached(site / "index.html", pages))
    orphans = [str(path.relative_to(site)) for path in pages if path not in reached]
    orphans = [name for name in orphans if name not in OWN]
    return Checked(len(pages), count, len(external), broken, orphans, sorted(set(external)))


def unreachable(urls: Iterable[str]) -> list[str]:
    """Ask for each URL; return those that answer with an error or not at all."""
    return asyncio.run(_asked(urls))


async def _asked(urls: Iterable[str]) -> list[str]:
    headers = {"user-agent": "Mozilla/5.0 (a check of links)"}  # some hosts refuse what names no browser
    async with aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(20)) as client:

        async def ask(url: str) -> str:
            try:
                async with client.get(url) as response:
                    return f"{url}: {response.status}" if response.status >= 400 else ""
            except (aiohttp.ClientError, TimeoutError) as error:
                return f"{url}: {type(error).__name__}"

        return list(filter(None, await asyncio.gather(*map(ask, urls))))


def _fault(path: Path, link: str, site: Path, pages: Mapping[Path, Page]) -> str:
    """Return why a link within the site leads nowhere, or nothing."""
    parts = urlsplit(link)
    if parts.scheme:  # data:, mailto:
        return ""
    target = _target(path, link)
    if not target.is_relative_to(site):
        return "leads out of the site"
    if not target.exists():
        return "leads to no page"
    anchor = unquote(parts.fragment)
    return "leads to no anchor" if anchor and target in pages and anchor not in pages[target].anchors else ""


def _target(path: Path, link: str) -> Path:
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    return target / "index.html" if target.is_dir() else target


def _reached(start: Path, pages: Mapping[Path, Page]) -> Iterator[Path]:
    """Yield the pages that links lead to, from the start page on."""
    seen, waiting = {start}, deque([start])
    while waiting:
        yield (path := waiting.popleft())
        for link in pages[path].links:
            if not urlsplit(link).scheme and (target := _target(path, link)) in pages and target not in seen:
                seen.add(target)
                waiting.append(target)
