"""Fixtures: a machine without credentials of AWS."""

from __future__ import annotations

from tests.support.aws_machine import machine

__all__ = ["machine"]
