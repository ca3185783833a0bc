"""The kinds of hostile answers: what is sent, to which calls, and what was promised of it before it was tried."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from aiomlcommons import errors
from tests.reliability.hostile import answers, bodies, streams
from tests.reliability.hostile.writing import CBOR, JSON, MB, Answer, Body, repeated, whole

LARGE, DECODE, CONNECT = errors.ResponseTooLarge, errors.DecodeError, errors.ConnectError
TIMEOUT, API = errors.RequestTimeout, errors.ApiError
JSON_CALLS, CALLS = ("get", "search"), ("get", "search", "embed")


@attrs.frozen
class Kind:
    """A kind of answer. ``ends`` are the errors that are promised; with ``may_pass`` a result is right, too."""

    fault: str
    answer: Answer
    ends: tuple[type[Exception], ...]
    calls: tuple[str, ...] = CALLS
    may_pass: bool = False

    @property
    def promise(self) -> str:
        """What was promised, in a sentence."""
        names = " or ".join(sorted(error.__name__ for error in self.ends))
        or_result = "a result, or " if self.may_pass else ""
        return f"{or_result}{names}, in bounded time and memory, and the session works on"


def _json(
    fault: str, body: Body, *ends: type[Exception], calls: tuple[str, ...] = JSON_CALLS, passes: bool = False
) -> Kind:
    return Kind(fault, whole(body), ends, calls, passes)


def _cbor(fault: str, body: Body, *ends: type[Exception], passes: bool = False) -> Kind:
    return Kind(fault, whole(body, CBOR), (*ends, LARGE), ("embed", "get"), passes)


def _error(fault: str, body: Body, kind: str = JSON, *more: type[Exception], **headers: object) -> Kind:
    return Kind(fault, whole(body, kind, 500, **headers), (API, *more))


SIZES: Mapping[str, Kind] = {
    "gzip": Kind("a gzip answer of 200 KB that is 200 MB", answers.bomb("gzip"), (LARGE,)),
    "deflate": Kind("a deflate answer of 200 KB that is 200 MB", answers.bomb("deflate"), (LARGE,)),
    "members": Kind("a gzip answer of thousands of members", answers.members, (LARGE, CONNECT)),
    "chunks": Kind("a chunked answer without an end", answers.chunks, (LARGE,)),
    "tiny_chunks": Kind("chunks of a byte without an end", answers.tiny_chunks, (LARGE, TIMEOUT)),
    "until_end": Kind("an answer of no length without an end", answers.until_end, (LARGE,)),
    "announced": Kind("an answer that announces 10 GB", answers.announced, (LARGE,)),
    "short": Kind("an answer shorter than announced", answers.short, (CONNECT,)),
    "long": Kind("an answer longer than announced", answers.long, (DECODE, CONNECT), JSON_CALLS, may_pass=True),
    "drips": Kind("a body that drips a byte at a time", answers.drips, (TIMEOUT,)),
    "error_bomb": Kind("an error that is a gzip bomb", answers.bomb("gzip", 500), (LARGE,)),
    "error_chunks": Kind("an error without an end", answers.error_chunks, (LARGE,)),
}
HEADS: Mapping[str, Kind] = {
    "head_drips": Kind("headers that drip a byte at a time", answers.head_drips, (TIMEOUT,)),
    "huge_header": Kind("a header of a megabyte", answers.huge_header, (CONNECT,)),
    "many_headers": Kind("a hundred thousand headers", answers.many_headers, (CONNECT,)),
    "continues": Kind("interim answers without an end", answers.continues, (CONNECT, TIMEOUT)),
    "garbage": Kind("bytes that are no HTTP", answers.garbage, (CONNECT,)),
    "injection": Kind("line breaks and NULs in headers", answers.injection, (CONNECT, DECODE), may_pass=True),
    "two_lengths": Kind("two lengths, or a length and chunks", answers.two_lengths, (CONNECT, DECODE), may_pass=True),
    "bad_chunks": Kind("chunk sizes that are none", answers.bad_chunks, (CONNECT,)),
    "bad_gzip": Kind("gzip that is damaged, or cut off", answers.bad_gzip, (CONNECT, DECODE, LARGE), may_pass=True),
    "upgrade": Kind("an upgrade nobody asked for", answers.upgrade, (CONNECT, DECODE, TIMEOUT)),
    "redirects": Kind("a redirect to files and other hosts", answers.redirects, (errors.Redirected,)),
    "retry_after": Kind("Retry-After of thousands of digits", answers.retry_after, (API,)),
}
JSONS: Mapping[str, Kind] = {
    "deep_json": _json("JSON of a million levels", bodies.deep_json, DECODE, LARGE, passes=True),
    "digits": _json("an integer of a million digits", bodies.digits, DECODE, LARGE, passes=True),
    "exponents": _json("numbers beyond any double", bodies.exponents, DECODE, passes=True),
    "nan": _json("NaN and Infinity", bodies.nan, DECODE),
    "twice": _json("keys that occur twice", bodies.twice, DECODE, passes=True),
    "surrogates": _json("bytes that are no UTF-8, and lone surrogates", bodies.surrogates, DECODE, passes=True),
    "cut_json": _json("JSON that is cut off", bodies.cut_json, DECODE),
    "lists": _json("a body of empty lists", bodies.lists, LARGE, DECODE),
    "objects": _json("a body of empty objects", bodies.objects, LARGE, DECODE),
    "pairs": _json("an object of a hundred thousand wrong values", bodies.pairs, LARGE, DECODE, passes=True),
    "wrong_types": _json("values of other types at every place", bodies.wrong_types, DECODE, passes=True, calls=CALLS),
    "wrong_kind": Kind("another content type than that of the body", answers.wrong_kind, (DECODE,), may_pass=True),
    "empty": _json("no body, a byte order mark, UTF-16", bodies.empty, DECODE, passes=True),
}
CBORS: Mapping[str, Kind] = {
    "deep_cbor": _cbor("CBOR of a million levels", bodies.deep_cbor, DECODE, LARGE),
    "big_integers": _cbor("integers of a megabyte", bodies.big_integers, DECODE),
    "itself": _cbor("a list that holds itself", bodies.itself, DECODE),
    "tags": _cbor("patterns, dates, addresses and references", bodies.tags, DECODE),
    "empty_items": _cbor("a body of empty lists and maps", bodies.empty_items, LARGE, DECODE),
    "huge_items": _cbor("lists and texts that announce exabytes", bodies.huge_items, DECODE),
    "odd_keys": _cbor("keys that all have one hash", bodies.odd_keys, DECODE),
    "decimals": _cbor("decimals with exponents of 18 digits", bodies.decimals, DECODE, passes=True),
    "random_cbor": _cbor("random bytes", bodies.random_bytes, DECODE),
    "damaged": Kind("embeddings with flipped bytes", whole(bodies.damaged, CBOR), (DECODE, LARGE), ("embed",), True),
}
ERRORS: Mapping[str, Kind] = {
    "brackets": _error("a page of a megabyte of brackets", bodies.brackets, "text/html", LARGE),
    "comments": _error("a page of nothing but comments", bodies.comments, "text/html", LARGE),
    "words": _error("an error of words that are looked for", bodies.words, JSON, LARGE),
    "nested": _error("an error within an error, a hundred times", bodies.nested),
    "fields": _error("an error of many megabytes of fields", repeated(b'"code":"x",', MB, 3 * MB), JSON, LARGE),
}
STREAMS: Mapping[str, Kind] = {
    "line": Kind("a line of a stream without an end", streams.line, (LARGE,), ("stream",)),
    "frame": Kind("a frame of lines without an end", streams.frame, (LARGE,), ("stream",)),
    "returns": Kind("frames that end with carriage returns only", streams.returns, (), ("stream",), may_pass=True),
    "noise": Kind(
        "random bytes in a stream", streams.noise, (DECODE, errors.StreamFailed, errors.StreamCut), ("stream",)
    ),
    "comments_only": Kind("comments without an end", streams.comments_only, (TIMEOUT, errors.StreamCut), ("stream",)),
    "cut": Kind(
        "a stream that is cut off", streams.cut, (CONNECT, errors.StreamCut, DECODE, errors.StreamFailed), ("stream",)
    ),
    "heavy_frame": Kind(
        "a frame of empty lists", streams.heavy_frame, (LARGE, errors.StreamFailed, DECODE), ("stream",)
    ),
    "late_head": Kind("headers of a stream that drip", answers.head_drips, (TIMEOUT,), ("stream",)),
    "late_error": Kind("an error of a stream that drips", streams.late_error, (TIMEOUT,), ("stream",)),
    "large_error": Kind("an error of a stream without an end", answers.error_chunks, (LARGE,), ("stream",)),
}
GROUPS: Mapping[str, Mapping[str, Kind]] = {
    "answers: size and time": SIZES,
    "answers: heads and framing": HEADS,
    "answers: JSON": JSONS,
    "answers: CBOR": CBORS,
    "answers: errors": ERRORS,
    "answers: streams": STREAMS,
}
KINDS: Mapping[str, Kind] = {name: kind for group in GROUPS.values() for name, kind in group.items()}
