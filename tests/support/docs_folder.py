"""Makes what builds the site importable: ``building``, and the modules beside it in ``docs``."""

from __future__ import annotations

import sys

from tests.support.paths import ROOT

sys.path.append(str(ROOT / "docs"))
