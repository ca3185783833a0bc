"""What an HTML page says in a few words."""

from __future__ import annotations

import pytest

from aiomlcommons.trouble.pages import page_hint, page_in

NGINX = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<h1>502 Bad Gateway</h1></body></html>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (NGINX, 'an HTML page, "502 Bad Gateway"'),
        ("<!DOCTYPE html>\n<html><head>\n<title>\n Welcome   to\nnginx!</title>", 'an HTML page, "Welcome to nginx!"'),
        ('<?xml version="1.0"?>\n<!DOCTYPE html PUBLIC "x"><html><title>A</title>', 'an HTML page, "A"'),
        ("<!-- a comment -->\n<HTML><BODY>It works!</BODY></HTML>", 'an HTML page, "It works!"'),
        (
            "<html><head><style>b {}</style></head><script>x()</script><p>Sign&nbsp;in &amp; go</p>",
            'an HTML page, "Sign in & go"',
        ),
        ("\ufeff<html><title></title><body>text</body>", 'an HTML page, "text"'),
        ("<html></html>", "an empty HTML page"),
        (f"<html><title>{'x' * 500}</title>", f'an HTML page, "{"x" * 97}..."'),
        ("<error>a</error>", ""),
        ('{"error": "<html>"}', ""),
        ("Unauthorized", ""),
        ("", ""),
    ],
)
def test_a_page_is_its_title_or_its_first_words(text: str, said: str) -> None:
    assert page_in(text) == said


@pytest.mark.parametrize(
    ("body", "hint"),
    [
        (NGINX, "; OpenSearch sends no such page: is the URL that of the cluster, or is a proxy or gateway between?"),
        ("<html><title>400 The plain HTTP request was sent to HTTPS port</title>", "; this port speaks TLS: the URL"),
        ("Client sent an HTTP request to an HTTPS server.\n", "; this port speaks TLS: the URL must begin with https"),
        ("Unauthorized", ""),
        ({"error": NGINX}, ""),
        (None, ""),
    ],
)
def test_a_page_is_told_from_an_answer_of_opensearch(body: object, hint: str) -> None:
    assert page_hint(body).startswith(hint)
    assert bool(page_hint(body)) == bool(hint)


def test_a_long_page_takes_no_time() -> None:
    assert page_in("<html>" + "<" * 10_000_000).startswith("an HTML page")


@pytest.mark.parametrize(
    "text",
    [
        "<html>" + "<title" * 1_000_000,
        "<html>" + "<title>" * 1_000_000,
        "<html>" + "<script>" * 1_000_000,
        "<html>" + "<style></script" * 500_000,
        "<!--" * 1_000_000,
        "<!-- --> " * 500_000,
        "<?xml " * 1_000_000,
    ],
    ids=lambda text: text[6:14],
)
def test_no_page_makes_a_search_in_it_begin_again_and_again(text: str) -> None:
    page_in(text)
    page_hint(text)
