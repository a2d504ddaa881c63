"""Notices when source files change, by looking at their times.

No notification service of the system is asked: those do not see changes through network folders and
the mounts of containers, where source code is often edited, and each system has another one.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from ..errors import InvalidOption

INTERVAL = 0.5
"""Seconds between two looks."""
SKIPPED = frozenset({"__pycache__", "node_modules", "site-packages"})


class SourceWatch:
    """The Python files below some folders.

    Hidden folders, virtual environments, `node_modules` and `__pycache__` are left out.

    Raises:
        InvalidOption: one of the folders is none.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        for folder in folders:
            if not folder.is_dir():
                raise InvalidOption(f"{folder} is no folder that could be watched")
        self._folders = folders
        self._seen = self._look()

    async def changed(self) -> list[str]:
        """Wait for a change and return the files that were changed, made or removed."""
        while True:
            await asyncio.sleep(INTERVAL)
            if found := self.run_once():
                return found

    def run_once(self) -> list[str]:
        """Look once; returns the files that have changed since the last look."""
        before, self._seen = self._seen, self._look()
        return sorted({path for path, _ in before.items() ^ self._seen.items()})

    def _look(self) -> dict[str, tuple[int, int]]:
        found = {}
        for top in self._folders:
            for folder, names, files in os.walk(top):
                names[:] = [name for name in names if not _is_skipped(folder, name)]
                for name in files:
                    if name.endswith(".py"):
                        path = os.path.join(folder, name)
                        try:
                            status = os.stat(path)
                        except FileNotFoundError:
                            continue  # removed meanwhile, or a link to nothing
                        found[path] = (status.st_mtime_ns, status.st_size)
        return found


def _is_skipped(folder: str, name: str) -> bool:
    return name[0] == "." or name in SKIPPED or os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
