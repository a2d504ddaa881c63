"""docs/bullmq.md says the truth: it names all of BullMQ, and only what toril and its tests have."""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import inspect
import json
import re
import typing
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

import toril

ROOT = Path(__file__).parents[3]
NODE = ROOT / "tests" / "node"
VERDICTS = ("same", "different", "not")
_NAMES = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Row:
    """One row: names of BullMQ, the verdict, names of toril, names of tests; `local` for this side alone."""

    line: int
    theirs: tuple[str, ...]
    verdict: str
    ours: tuple[str, ...]
    tests: tuple[str, ...]
    local: bool

    @property
    def kind(self) -> str:
        return self.verdict.partition(":")[0]

    @property
    def reason(self) -> str:
        return self.verdict.partition(":")[2].strip()


def _read() -> list[Row]:
    found = []
    for number, line in enumerate((ROOT / "docs" / "bullmq.md").read_text().splitlines(), 1):
        if not line.startswith("| `"):
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert len(cells) == 4, f"line {number} has {len(cells)} cells instead of 4"
        theirs, ours, tests = (tuple(_NAMES.findall(cells[place])) for place in (0, 2, 3))
        found.append(Row(number, theirs, cells[1], ours, tests, "local" in cells[3].split()))
    return found


ROWS = _read()


def _parameters(thing: object) -> set[str]:
    """The names of all arguments of a call, those of `**options: Unpack[…]` among them."""
    names: set[str] = set()
    for parameter in inspect.signature(typing.cast("typing.Any", thing)).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            names |= set(typing.get_type_hints(toril.JobKeywords))
        names.add(parameter.name)
    return names


def _has_member(owner: object, name: str) -> bool:
    if hasattr(owner, name) or name in getattr(owner, "__annotations__", {}):
        return True
    if dataclasses.is_dataclass(owner) and name in {field.name for field in dataclasses.fields(owner)}:
        return True
    # What `__init__` sets, and no class attribute tells of.
    return any(f"self.{name} " in inspect.getsource(each) for each in inspect.getmro(owner)[:-1])  # type: ignore[arg-type]


def _exists(name: str) -> bool:
    """Whether toril has this name, spelled as docs/bullmq.md says."""
    if name.startswith("Event:"):
        return name.removeprefix("Event:") in toril.events.KINDS
    path, _, argument = name.partition("(")
    first, _, member = path.partition(".")
    if first not in toril.__all__:
        return False
    owner = getattr(toril, first)
    if member and not _has_member(owner, member):
        return False
    if isinstance(owner, type) and issubclass(owner, enum.Enum) and member:
        return member in owner.__members__ or _has_member(owner, member)
    if argument:
        return argument.removesuffix("=)") in _parameters(getattr(owner, member) if member else owner)
    return True


def test_each_row_is_whole() -> None:
    for row in ROWS:
        assert row.kind in VERDICTS, f"line {row.line}: {row.verdict!r}"
        assert (row.kind == "same") == (not row.reason), f"line {row.line}: say how or why, or nothing"
        assert (row.kind == "not") == (not row.ours), f"line {row.line}: a counterpart, or `not`"
        if any(name.endswith(".*") for name in row.theirs):
            assert row.kind != "same", f"line {row.line}: members of what is the same stand one by one"


def test_no_name_stands_twice() -> None:
    counted = Counter(name for row in ROWS for name in row.theirs)
    assert [name for name, count in counted.items() if count > 1] == []


def test_what_is_named_of_toril_exists() -> None:
    missing = [(row.line, name) for row in ROWS for name in row.ours if not _exists(name)]
    assert missing == []


def _tests() -> dict[str, bool]:
    """All tests of toril by name, and whether they run Node."""
    found = {}
    for path in (ROOT / "toril" / "tests").rglob("test_*.py"):
        text = path.read_text()
        whole_file = "\npytestmark = pytest.mark.node\n" in text
        for marks, name in re.findall(r"((?:^@.*\n)*)^(?:async )?def (test_\w+)", text, re.MULTILINE):
            found[name] = whole_file or "@pytest.mark.node\n" in marks
    return found


def test_the_named_tests_exist() -> None:
    known = _tests()
    assert [(row.line, name) for row in ROWS for name in row.tests if name not in known] == []


def test_what_others_can_see_is_tested_with_node() -> None:
    with_node = {name for name, node in _tests().items() if node}
    assert len(with_node) > 60
    for row in ROWS:
        needed = row.kind != "not" and not row.local
        assert needed == bool(with_node & set(row.tests)), f"line {row.line}: a test with Node, or `local`"


@pytest.mark.node
@pytest.mark.usefixtures("node_packages")
async def test_the_table_names_all_that_the_package_exports() -> None:
    process = await asyncio.create_subprocess_exec(
        "node", "features.mjs", cwd=NODE, stdout=asyncio.subprocess.PIPE
    )
    answer, _ = await process.communicate()
    assert process.returncode == 0
    features = [json.loads(line) for line in answer.splitlines()]
    assert len(features) > 1500
    names = {feature["name"] for feature in features}
    written = {name for row in ROWS for name in row.theirs}

    def covered(name: str) -> bool:
        return name in written or f"{name.partition('.')[0]}.*" in written

    assert sorted(name for name in names if not covered(name)) == [], "missing in docs/bullmq.md"
    tops = {f"{name.partition('.')[0]}.*" for name in names}
    assert sorted(written - names - tops) == [], "in docs/bullmq.md, but not in the package"
    not_taken = {name for row in ROWS if row.kind == "not" for name in row.theirs}
    deprecated = {feature["name"] for feature in features if feature["deprecated"]}
    assert sorted(name for name in deprecated & written if name not in not_taken) == []
