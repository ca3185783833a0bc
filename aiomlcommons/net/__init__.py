"""The network layer: transport adapters, retries, authentication, TLS. Only it and the emulator import aiohttp."""
