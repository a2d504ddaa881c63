"""The Lua scripts: includes in place, a contract as header, loaded again when the server forgot them."""

from __future__ import annotations

import re
from importlib import resources

import pytest

import toril
from toril.storage import scripts

FOLDER = resources.files("toril.storage") / "lua"
NAMES = sorted(file.name.removesuffix(".lua") for file in FOLDER.iterdir() if file.name.endswith(".lua"))
INCLUDES = sorted(file.name.removesuffix(".lua") for file in (FOLDER / "include").iterdir())


@pytest.mark.parametrize("name", NAMES)
def test_each_script_is_whole_and_begins_with_its_contract(name: str) -> None:
    text = scripts.source(name)
    assert "@include" not in text
    header = text[: text.index("]]")]
    assert text.startswith("--[[ ")
    assert "KEYS  " in header
    assert "ARGV  " in header
    assert "Returns " in header


def test_each_include_is_used() -> None:
    used = set(re.findall(r'@include "([a-z_]+)"', "".join(_raw())))
    assert used == set(INCLUDES)


def _raw() -> list[str]:
    files = [FOLDER / f"{name}.lua" for name in NAMES]
    files += [FOLDER / "include" / f"{name}.lua" for name in INCLUDES]
    return [file.read_text() for file in files]


def test_a_missing_script_is_told() -> None:
    with pytest.raises(scripts.ScriptError, match="no lua script"):
        scripts.source("nothing")


async def test_scripts_are_loaded_again_after_the_server_forgot_them(queue: toril.Queue) -> None:
    await queue.add("x")
    await queue.store.connection.call("SCRIPT", "FLUSH")
    await queue.add("x")
    assert (await queue.get_job_counts())["waiting"] == 2
