"""Modules that are imported when they are first used: they take long to import, and many programs do without them."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any


class _Deferred(ModuleType):
    """Stands for a module until a name of it is used, and has all names of it from then on."""

    def __getattr__(self, name: str) -> Any:
        module = import_module(self.__name__)
        vars(self).update(vars(module))
        return getattr(module, name)


if TYPE_CHECKING:
    import email.utils as email_utils
    import urllib.request as urllib_request

    import numpy as np
else:
    email_utils, np, urllib_request = map(_Deferred, ("email.utils", "numpy", "urllib.request"))

__all__ = ["email_utils", "np", "urllib_request"]
