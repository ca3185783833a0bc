"""What the emulator reads of others, within bounds: the CBOR of requests, and answers of providers and file servers."""

from __future__ import annotations

import aiohttp
import orjson

from aiomlcommons.decoding.bounded import LARGEST_RESPONSE, TooMuch, decode_cbor
from aiomlcommons.emulator.errors import refused


def json_of(cbor: bytes) -> bytes:
    """Return the CBOR of a request as JSON. Raises Refused for what is none, or has values that JSON has not."""
    try:
        return orjson.dumps(decode_cbor(cbor, LARGEST_RESPONSE))
    except (TypeError, ValueError) as error:
        raise refused(400, "parsing_exception", f"the body cannot be read as JSON in CBOR: {error}") from None


async def answer_of(response: aiohttp.ClientResponse) -> bytes:
    """Return the body of a response. Raises TooMuch, a ValueError, if it is too large, before all of it is read."""
    body = bytearray()
    while piece := await response.content.readany():
        body += piece
        if len(body) > LARGEST_RESPONSE:
            raise TooMuch(f"has more than {LARGEST_RESPONSE} bytes")
    return bytes(body)


async def text_of(response: aiohttp.ClientResponse) -> str:
    """Return the body of a response as text, whatever its bytes are. Raises TooMuch if it is too large."""
    return (await answer_of(response)).decode("utf-8", "replace")
