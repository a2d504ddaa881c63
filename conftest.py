"""Both packages are imported before pytest names the test modules.

In `importlib` mode it names them after their folders, and a folder `insightdesk` at the root would
otherwise stand in for the package of that name.
"""

from __future__ import annotations

import insightdesk  # noqa: F401
import toril  # noqa: F401
