"""Faults of the network between the client and a server, tried with every kind of work.

    python -m tests.reliability.network [--trials N] [--seed S] [--url URL] [--opensearch] [--write]

A trial is one kind of fault (``kinds.py``) at one moment of one kind of work (``operations.py``). Its promise is
checked in ``trial.py``: the work succeeds or raises a clear error of the right class in bounded time, nothing is done
twice that is not idempotent, no document is lost, the session works on, and nothing is left behind. Without ``--url``
an emulator stands behind the proxy, with TLS and without.
"""
