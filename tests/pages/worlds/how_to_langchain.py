"""A cluster that has the models of the page."""

from __future__ import annotations

from tests.pages.worlds.deployed_models import world

__all__ = ["world"]
