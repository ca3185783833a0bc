"""Look at the built site in a headless Chromium, after ``make docs``: ``python -m tests.pages.browser``.

On every page, as wide as a phone and as wide as a desk: nothing scrolls sideways, nothing is said on the console, and
no file is missing. The search finds names and words, and leads to a page that has them. ``--shots FOLDER`` keeps
pictures of some pages, dark and light.
"""

from __future__ import annotations

import argparse
import functools
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.support.paths import ROOT

SITE = ROOT / "docs" / "_build" / "html"
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE = 180_000  # milliseconds: what is measured is not the speed of the machine
WIDTHS = (1280, 390)
SCHEMES: Sequence[Literal["light", "dark"]] = ("light", "dark")
SHOWN = ("index.html", "tutorials/first-model.html", "api/ml.models.html", "search.html?q=embed_many")
# What somebody looks for, and the page that must be among what is found.
SEARCHES = {
    "embed_many": "api/session.html",
    "checkpoint": "ingest.html",
    "NotDeployed": "errors.html",
    "DeployModel": "api/records/models.html",
    "dead letters": "ingest.html",
}
TOO_WIDE = "document.scrollingElement.scrollWidth - window.innerWidth"


class Quiet(SimpleHTTPRequestHandler):
    """Serves the files of a folder, and says nothing."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve a folder on a socket of this machine; give its URL."""
    handler = functools.partial(Quiet, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def opened(browser: Browser, width: int, scheme: Literal["light", "dark"], faults: list[str]) -> Page:
    """Open a window, whose complaints are collected."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda said: faults.append(f"{page.url}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(f"{page.url}: {error}"))
    page.on("requestfailed", lambda request: faults.extend(failures(page.url, request)))
    return page


def failures(page: str, request: Request) -> Iterator[str]:
    """Yield what is wrong with a request that failed; one that was given up as its page was left is not."""
    if request.failure != "net::ERR_ABORTED":
        yield f"{page}: {request.url} failed: {request.failure}"


def widths_of_every_page(browser: Browser, url: str, names: Sequence[str], faults: list[str]) -> None:
    """Look for pages that are wider than their window."""
    for width in WIDTHS:
        page = opened(browser, width, "light", faults)
        for name in names:
            page.goto(f"{url}/{name}")
            if (excess := page.evaluate(TOO_WIDE)) > 0:
                faults.append(f"{name} is {excess} pixels wider than a window of {width}")
        page.close()


def searches(browser: Browser, url: str, faults: list[str]) -> None:
    """Search by the field of the start page, as a reader does."""
    page = opened(browser, 1280, "light", faults)
    for words, wanted in SEARCHES.items():
        page.goto(f"{url}/index.html")
        page.fill(".sidebar-search", words)
        page.press(".sidebar-search", "Enter")
        page.wait_for_selector("#search-results ul.search li a")
        page.wait_for_function("!document.querySelector('#search-results .search-summary').textContent.includes('...')")
        found = [link.get_attribute("href") or "" for link in page.query_selector_all("#search-results li > a")]
        if not any(link.startswith(wanted) for link in found):
            faults.append(f"a search for {words!r} does not find {wanted}, but {found[:5]}")
    page.close()


def pictures(browser: Browser, url: str, folder: Path, faults: list[str]) -> None:
    """Keep a picture of some pages in each width, dark and light."""
    folder.mkdir(parents=True, exist_ok=True)
    for width in WIDTHS:
        for scheme in SCHEMES:
            page = opened(browser, width, scheme, faults)
            for name in SHOWN:
                page.goto(f"{url}/{name}", wait_until="networkidle")
                stem = name.partition(".html")[0].replace("/", "-")
                page.screenshot(path=folder / f"{stem}-{width}-{scheme}.png")
            page.close()


def main(arguments: Sequence[str]) -> int:
    """Look at every page; print what is wrong, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shots", type=Path, metavar="FOLDER")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "/usr/bin/chromium")
    options = parser.parse_args(arguments)
    names = [str(path.relative_to(SITE)) for path in sorted(SITE.rglob("*.html")) if "_static" not in path.parts]
    if not names:
        parser.error(f"there is no site in {SITE}: run make docs")
    faults: list[str] = []
    with served(SITE) as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.chromium, args=OPTIONS)
        widths_of_every_page(browser, url, names, faults)
        searches(browser, url, faults)
        if options.shots:
            pictures(browser, url, options.shots, faults)
        browser.close()
    for fault in faults:
        print("WRONG", fault)
    print(
        f"{len(names)} pages at {' and '.join(map(str, WIDTHS))} pixels, {len(SEARCHES)} searches, {len(faults)} faults"
    )
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
