"""The network: the transport seam, retries, credentials, TLS. The only room that knows aiohttp, the emulator aside."""
