"""`toril worker --reload`: workers start again when source files change."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

import toril
from toril.processes import SourceWatch

from .command import APP, worker
from .conftest import until, wait_gone


def test_changes_of_source_files_are_seen(tmp_path: Path) -> None:
    package = tmp_path / "package"
    for folder in (package, tmp_path / ".hidden", tmp_path / "env", tmp_path / "node_modules" / "x"):
        folder.mkdir(parents=True)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    module = package / "module.py"
    module.write_text("1")
    watch = SourceWatch([tmp_path])
    assert watch.run_once() == []
    module.write_text("22")
    assert watch.run_once() == [str(module)]
    for each in (".hidden/a.py", "env/a.py", "node_modules/x/a.py", "package/readme.md"):
        (tmp_path / each).write_text("1")
    assert watch.run_once() == []
    (package / "new.py").touch()
    (package / "broken.py").symlink_to("nowhere.py")
    assert watch.run_once() == [str(package / "new.py")]
    module.unlink()
    assert watch.run_once() == [str(module)]


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(toril.InvalidOption, match="no folder"):
        SourceWatch([tmp_path / "nowhere"])


@pytest.mark.slow
async def test_a_change_restarts_and_a_mistake_waits_for_the_next(queue: toril.Queue, tmp_path: Path) -> None:
    source = APP.format(queue=queue.name)
    file = tmp_path / "shop.py"

    async def result() -> object:
        return await (await queue.add("short", {"n": 1})).wait(20)

    file.write_text("def wrong(:\n")
    async with worker(tmp_path, queue.url, queue.name, "--reload", "--processes", "2") as command:
        await command.says("SyntaxError")
        await command.says("waiting for a change")
        assert command.log.count("SyntaxError") == 1
        file.write_text(source)
        await until(lambda: len(command.pids()) == 2)
        assert await result() == 1

        running = await queue.add("long", {"n": 1, "seconds": 1.0})
        await until(lambda: len(command.ledger("long")) == 1)
        file.write_text(source.replace("VERSION = 1", "VERSION = 2"))
        await command.says(r"shop\.py changed; starting again")
        await until(lambda: len(command.pids()) == 4)
        for pid in command.pids()[:2]:
            wait_gone(pid)
        assert await running.get_state() == toril.JobState.COMPLETED
        assert await result() == 2

        file.write_text(source + "\n1 / 0\n")
        await command.says("module 'shop' cannot be imported: division by zero")
        await until(lambda: command.log.count("waiting for a change") == 2)
        file.write_text(source.replace("VERSION = 1", "VERSION = 3"))
        assert await result() == 3
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 0


async def test_a_mistake_can_be_left_by_ctrl_c(queue: toril.Queue, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text("import nowhere_to_be_found\n")
    async with worker(tmp_path, queue.url, queue.name, "--reload") as command:
        await command.says("No module named 'nowhere_to_be_found'")
        await command.says("waiting for a change")
        command.process.send_signal(signal.SIGINT)
        assert await command.ends() == 0
