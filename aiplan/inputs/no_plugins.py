"""Keeps pydantic from looking for plugins.

A plugin of some other package must not change what a scenario means. Pydantic's switch for that still imports the
machinery that reads the metadata of every installed package, a fifth of the time `aiplan energy` takes, so an empty
finder stands in for it. Should pydantic move its finder, the switch remains.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

FINDER = "pydantic.plugin._loader"

os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
if FINDER not in sys.modules:
    finder = ModuleType(FINDER)
    finder.get_plugins = tuple  # type: ignore[attr-defined]
    sys.modules[FINDER] = finder
