"""Runs the examples of one page: `python tests/docs/page.py docs/events.md`, in the working folder.

How examples are written is told in CONTRIBUTING.md, "Examples in documents".
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import signal
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pages import ROOT

import toril

LIMIT = 60.0
"""Seconds that one example may take."""
RUN = {"python", "bash"}
SHOWN = {"console", "ini", "json", "sql", "text", "toml", "typescript", "yaml"}
"""Languages that are not run: output, settings, and what Python and a shell cannot run."""
CONVENTION = 'see "Examples in documents" in CONTRIBUTING.md'

_PART = re.compile(
    r"^(?P<indent>[ ]*)```(?P<language>[^\n`]*)\n(?P<code>.*?)^[ ]*```[ ]*$"
    r"|^<!--[ ]snippet:[ ](?P<directive>[^\n]*?)(?:[ ]-->|\n(?P<hidden>.*?)^-->)",
    re.DOTALL | re.MULTILINE,
)
_FILE = re.compile(r"# (?P<name>[\w./-]+\.\w+)(?P<more>, at its end)?\n")


class Wrong(Exception):
    """An example is not written as CONTRIBUTING.md has it, or does not do what the page says."""


@dataclass(frozen=True)
class Block:
    """One example of a page.

    Attributes:
        language: What stands behind the fence.
        line: Where its first line stands in the page, from 1.
        directive: What the comment before it says: `background`, `output`, `skip: why` or nothing.
    """

    language: str
    code: str
    line: int
    directive: str = ""

    @property
    def file(self) -> str | None:
        """The name of the file that the block is, if it is one."""
        named = _FILE.match(self.code)
        return named["name"] if named else None

    @property
    def appends(self) -> bool:
        """Whether the file goes on with it."""
        named = _FILE.match(self.code)
        return named is not None and named["more"] is not None

    @property
    def is_run(self) -> bool:
        return self.language in RUN and not self.directive.startswith("skip:")


def blocks(text: str) -> Iterator[Block]:
    """The examples of a page, in order. Raises Wrong."""
    directive = ""
    for part in _PART.finditer(text):
        line = text.count("\n", 0, part.start()) + 2
        if part["directive"] is None:
            language = part["language"].strip()
            if language not in RUN | SHOWN:
                known = ", ".join(sorted(RUN | SHOWN))
                raise Wrong(f"line {line - 1}: a fence says {language!r}, not one of {known}; {CONVENTION}")
            yield Block(language, textwrap.dedent(part["code"]), line, directive)
            directive = ""
        elif part["directive"] == "python":
            yield Block("python", part["hidden"], line)
        elif part["directive"] in ("background", "output") or re.fullmatch(r"skip: \S.*", part["directive"]):
            directive = part["directive"]
        else:
            raise Wrong(f"line {line - 1}: `snippet: {part['directive']}` means nothing; {CONVENTION}")


class Page:
    """The examples of a page, run in turn in the working folder."""

    def __init__(self, path: Path, url: str) -> None:
        self._path = path
        self._scope: dict[str, Any] = {"__name__": "__page__"}
        self._printed = ""
        self._behind: list[asyncio.subprocess.Process] = []
        path_of_ours = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        self._env = {**os.environ, "PATH": path_of_ours, "TORIL_URL": url}

    async def run(self) -> None:
        """Run all. Raises whatever an example raises, and Wrong."""
        try:
            for block in blocks(self._path.read_text(encoding="utf-8")):
                try:
                    async with asyncio.timeout(LIMIT):
                        await self._run(block)
                except Exception as error:
                    error.add_note(f"in the example at {self._path}:{block.line}")
                    raise
        finally:
            await self._end()

    async def _run(self, block: Block) -> None:
        if block.directive == "output":
            self._compare(block)
        elif not block.is_run:
            return
        elif block.file is not None:
            write(Path(block.file), block)
        elif block.language == "python":
            await self._python(block)
        else:
            await self._bash(block)

    async def _python(self, block: Block) -> None:
        tree = "\n" * (block.line - 1) + block.code
        code = compile(tree, str(self._path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if code.co_flags & inspect.CO_COROUTINE:
                await eval(code, self._scope)
            else:
                # Beside the event loop, so that a whole program with its own `asyncio.run` runs too.
                await asyncio.to_thread(exec, code, self._scope)
        self._printed = printed.getvalue()

    async def _bash(self, block: Block) -> None:
        behind = block.directive == "background"
        process = await asyncio.create_subprocess_exec(
            *("bash", "-euo", "pipefail", "-c", f"exec {block.code}" if behind else block.code),
            env=self._env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=None if behind else asyncio.subprocess.PIPE,
            stderr=None if behind else asyncio.subprocess.STDOUT,
        )
        if behind:
            self._behind.append(process)
            return
        printed, _ = await process.communicate()
        self._printed = printed.decode()
        if process.returncode:
            raise Wrong(f"ended with code {process.returncode}:\n{self._printed}")

    def _compare(self, block: Block) -> None:
        wanted = ".*".join(re.escape(part) for part in block.code.strip().split("…"))
        lines = [line.rstrip() for line in self._printed.splitlines()]
        found = textwrap.dedent("\n".join(lines)).strip()
        if not re.fullmatch(wanted, found, re.DOTALL):
            raise Wrong(f"the page says that it prints\n{block.code}\nbut it prints\n{found}")

    async def _end(self) -> None:
        for process in self._behind:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
        for process in self._behind:
            await asyncio.wait_for(process.wait(), 20)


def write(path: Path, block: Block) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if block.appends else "w", encoding="utf-8") as file:
        file.write(block.code)


def main() -> None:
    """Run the page that the first argument names."""
    page = ROOT / sys.argv[1]
    sys.path.insert(0, os.getcwd())
    with toril.embedded() as url:
        os.environ["TORIL_URL"] = url
        asyncio.run(Page(page, url).run())


if __name__ == "__main__":
    main()
