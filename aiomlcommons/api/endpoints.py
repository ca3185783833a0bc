"""Every endpoint of the package. Importing this module imports all of the API, which a program seldom needs."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from aiomlcommons import api
from aiomlcommons.endpoint import ENDPOINTS as ENDPOINTS

for module in iter_modules(api.__path__, f"{api.__name__}."):
    if module.name != __name__:
        import_module(module.name)
# By module, in whatever order a program used them before.
ENDPOINTS.sort(key=lambda endpoint: endpoint.__module__)
