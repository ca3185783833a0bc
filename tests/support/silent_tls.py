"""Deeds of a bad server: TLS that never says farewell, and one that ends with an alert."""

from __future__ import annotations

import ssl
from asyncio import Event, StreamReader, StreamWriter

from tests.support.bad_server import Deed


def without_farewell(context: ssl.SSLContext, shaken: Event) -> Deed:
    """Return a deed that completes the handshake, never responds, and returns no farewell, as OpenSearch does not."""

    async def deed(reader: StreamReader, writer: StreamWriter) -> None:
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(came, goes, server_side=True)
        while received := await reader.read(65_536):
            if shaken.is_set():
                continue
            came.write(received)
            try:
                tls.do_handshake()
                shaken.set()
            except ssl.SSLWantReadError:
                pass
            writer.write(goes.read())
            await writer.drain()

    return deed


def with_alert(context: ssl.SSLContext) -> Deed:
    """Return a deed that refuses a client's certificate with an alert, as OpenSearch does, unlike asyncio's servers."""

    async def deed(reader: StreamReader, writer: StreamWriter) -> None:
        came, goes = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(came, goes, server_side=True)
        refused = False
        while received := await reader.read(65_536):
            came.write(received)
            if refused:
                continue  # unread bytes would reset the connection, and the alert be lost
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                refused = True
            writer.write(goes.read())
            if refused:
                writer.write_eof()
            await writer.drain()

    return deed
