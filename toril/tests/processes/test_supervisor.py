"""`toril worker --processes N`, from outside."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import random
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

import toril
from toril.embedded import free_port

from .command import APP, TORIL, worker
from .conftest import alive, until, wait_gone

QUICK = ("--lock-duration", "1", "--stalled-interval", "0.5")


async def test_processes_share_the_work(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "3", "--concurrency", "2") as command:
        await until(lambda: len(command.pids()) == 3)
        jobs = await queue.add_many([toril.NewJob("short", {"n": n}) for n in range(300)])
        for job in jobs:
            assert await job.wait(20) == 1
        assert set(command.pids("short")) == set(command.pids())
        assert sorted(int(n) for _, n in command.ledger("short")) == list(range(300))
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 0
    for pid in command.pids():
        wait_gone(pid)


async def test_a_killed_process_is_started_again_and_its_jobs_run_elsewhere(
    queue: toril.Queue, tmp_path: Path
) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2", *QUICK) as command:
        await until(lambda: len(command.pids()) == 2)
        jobs = [await queue.add("long", {"n": n, "seconds": 1.0}) for n in range(4)]
        await until(lambda: len(command.ledger("long")) == 4)
        victim = command.pids("long")[0]
        os.kill(victim, signal.SIGKILL)
        await command.says(rf"\(pid {victim}\) died with signal 9 \(SIGKILL\); starting it again")
        for job in jobs:
            await job.wait(20)
        await until(lambda: len(command.pids()) == 3)
        assert {n for pid, n in command.ledger("done") if pid != victim} == {"0", "1", "2", "3"}
        command.process.send_signal(signal.SIGINT)
        assert await command.ends() == 0


async def test_what_a_dead_process_has_forked_holds_nothing_up(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2") as command:
        await until(lambda: len(command.pids()) == 2)
        await queue.add("fork", {})
        try:
            await until(lambda: len(command.pids()) == 3)
            assert await (await queue.add("short", {"n": 1})).wait(20) == 1
        finally:
            for pid in command.pids("fork"):
                os.kill(pid, signal.SIGKILL)
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 0


@pytest.mark.slow
async def test_many_kills_lose_no_job(queue: toril.Queue, tmp_path: Path) -> None:
    draw = random.Random(7)
    options = ("--processes", "3", "--concurrency", "5", "--max-crashes", "99", *QUICK)
    async with worker(tmp_path, queue.url, queue.name, *options) as command:
        await until(lambda: len(command.pids()) == 3)
        jobs = await queue.add_many([toril.NewJob("short", {"n": n}) for n in range(3000)])
        for kills in range(1, 7):
            await until(lambda count=300 * kills: len(command.ledger("short")) >= count)  # type: ignore[misc]
            os.kill(draw.choice([pid for pid in command.pids() if alive(pid)]), signal.SIGKILL)

        async def all_final() -> bool:
            counts = await queue.get_job_counts()
            return counts["completed"] + counts["failed"] == len(jobs)

        await until(all_final, 40)
        failed = await queue.get_jobs(toril.JobState.FAILED)
        assert {job.failed_reason for job in failed} <= {"job stalled more than allowable limit"}
        done = {int(n) for _, n in command.ledger("short")} | {job.data["n"] for job in failed}
        assert done == set(range(len(jobs)))
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 0


async def test_workers_drain_when_their_supervisor_was_killed(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2") as command:
        await until(lambda: len(command.pids()) == 2)
        job = await queue.add("long", {"n": 1, "seconds": 1.0})
        await until(lambda: len(command.ledger("long")) == 1)
        command.process.kill()
        await command.ends()
        for pid in command.pids():
            wait_gone(pid)
        assert await job.get_state() == toril.JobState.COMPLETED
        assert len(command.pids()) == 2


async def test_a_blocked_worker_ends_too_when_its_supervisor_was_killed(
    queue: toril.Queue, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(
        APP.format(queue=queue.name) + "\nfrom toril.processes import lifeline\nlifeline.GRACE = 0.5\n"
    )
    async with worker(
        tmp_path, queue.url, queue.name, "--processes", "2", "--drain-timeout", "0.5"
    ) as command:
        await until(lambda: len(command.pids()) == 2)
        await queue.add("block", {"seconds": 60})
        await until(lambda: len(command.ledger("block")) == 1)
        command.process.kill()
        for pid in command.pids():
            wait_gone(pid)


async def test_sigterm_drains_all(queue: toril.Queue, tmp_path: Path) -> None:
    one = ("--queue", f"{queue.name}=1")
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2", *one) as command:
        await until(lambda: len(command.pids()) == 2)
        jobs = [await queue.add("long", {"n": n, "seconds": 1.0}) for n in range(4)]
        await until(lambda: len(command.ledger("long")) == 2)
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 0
        assert len(command.ledger("done")) == len(command.ledger("long")) == 2
    assert sorted([await job.get_state() for job in jobs]) == ["completed"] * 2 + ["waiting"] * 2


async def test_a_second_signal_hands_back_and_the_exit_code_tells(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2") as command:
        await until(lambda: len(command.pids()) == 2)
        job = await queue.add("long", {"n": 0, "seconds": 60})
        await until(lambda: len(command.ledger("long")) == 1)
        command.process.send_signal(signal.SIGTERM)
        await command.says("stopping; a second signal")
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 75
    assert await job.get_state() == toril.JobState.WAITING
    found = await queue.get_job(job.id)
    assert found is not None
    assert found.attempts_made == 0


async def test_who_was_told_to_stop_before_it_began_takes_no_job(queue: toril.Queue) -> None:
    async def handler() -> None: ...

    app = toril.Toril(queue.url)
    app.job(queue.name, name="x")(handler)
    job = await queue.add("x", {})
    worker = toril.Worker(queue.name, lambda job: None, url=queue.url)
    worker.stop()
    await worker.run(handle_signals=False)
    working = asyncio.create_task(app.run_worker())
    await asyncio.sleep(0)
    app.stop(force=True)
    async with asyncio.timeout(5):
        assert await working == 0
    await app.close()
    found = await queue.get_job(job.id)
    assert found is not None
    assert found.attempts_started == 0


async def test_a_signal_to_the_workers_too_drains_as_well(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2") as command:
        await until(lambda: len(command.pids()) == 2)
        job = await queue.add("long", {"n": 0, "seconds": 1.5})
        await until(lambda: len(command.ledger("long")) == 1)
        for pid in (command.process.pid, *command.pids()):  # as systemd stops a service
            os.kill(pid, signal.SIGTERM)
        assert await command.ends() == 0
    assert await job.get_state() == toril.JobState.COMPLETED


async def test_ctrl_c_reaches_the_workers_once(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2") as command:
        await until(lambda: len(command.pids()) == 2)
        job = await queue.add("long", {"n": 0, "seconds": 1.0})
        await until(lambda: len(command.ledger("long")) == 1)
        os.killpg(command.process.pid, signal.SIGINT)  # as a terminal sends it
        assert await command.ends() == 0
    assert await job.get_state() == toril.JobState.COMPLETED


async def test_a_crash_loop_ends_the_supervisor(queue: toril.Queue, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue=queue.name) + "\nos.kill(os.getpid(), 9)\n")
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2", "--max-crashes", "3") as command:
        assert await command.ends() == 70
        assert len(command.pids()) == 3
        await command.says(r"died with signal 9 \(SIGKILL\): it has died 3 times in a row.*giving up")


async def test_a_poison_job_fails_and_the_group_lives(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2", *QUICK) as command:
        await until(lambda: len(command.pids()) == 2)
        job = await queue.add("poison", {})
        with pytest.raises(toril.JobFailed, match="stalled"):
            await job.wait(20)
        assert await (await queue.add("short", {"n": 1})).wait(20) == 1
        assert command.process.returncode is None


async def test_sighup_replaces_all_processes_without_a_gap(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--processes", "2") as command:
        await until(lambda: len(command.pids()) == 2)
        await (await queue.add("short", {"n": 1})).wait(20)
        old = command.pids()
        long = await queue.add("long", {"n": 1, "seconds": 2.0})
        await until(lambda: len(command.ledger("long")) == 1)
        source = (tmp_path / "shop.py").read_text()
        (tmp_path / "shop.py").write_text(source.replace("VERSION = 1", "VERSION = 2"))
        command.process.send_signal(signal.SIGHUP)
        await command.says("all worker processes are replaced")
        await long.wait(5)
        assert len(command.pids()) == 4
        for pid in old:
            wait_gone(pid)
        for n in range(5):
            assert await (await queue.add("short", {"n": n})).wait(20) == 2

        (tmp_path / "shop.py").write_text("this is no Python\n")
        command.process.send_signal(signal.SIGHUP)
        await command.says("module 'shop' cannot be imported")
        await command.says("the processes that are left go on")
        assert await (await queue.add("short", {"n": 9})).wait(20) == 2
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 0


async def test_a_process_is_replaced_after_so_many_jobs(queue: toril.Queue, tmp_path: Path) -> None:
    async with worker(tmp_path, queue.url, queue.name, "--max-jobs", "20") as command:
        jobs = await queue.add_many([toril.NewJob("short", {"n": n}) for n in range(60)])
        for job in jobs:
            await job.wait(20)
        await command.says("has run [0-9]+ jobs; replacing it")
        await until(lambda: len(command.pids()) >= 2)
        wait_gone(command.pids()[0])
        assert await (await queue.add("short", {"n": 61})).wait(20) == 1


def get(port: int, path: str) -> tuple[int, dict[str, object]]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)
    except urllib.error.URLError:
        return 0, {}


async def test_the_supervisor_answers_for_all(queue: toril.Queue, tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "alive"
    probes = ("--health-port", str(port), "--liveness-file", str(file), "--max-age", "2")

    async def answers(path: str, status: int) -> bool:
        return (await asyncio.to_thread(get, port, path))[0] == status

    async with worker(tmp_path, queue.url, queue.name, "--processes", "2", *probes, *QUICK) as command:
        await until(lambda: answers("/ready", 200))
        _, report = await asyncio.to_thread(get, port, "/ready")
        assert sorted(each["pid"] for each in report["processes"]) == sorted(command.pids())  # type: ignore[attr-defined]
        told = await asyncio.to_thread(subprocess.run, [*TORIL, "alive", file, "--max-age", "2"], check=False)
        assert told.returncode == 0
        await queue.add("block", {"seconds": 5})
        await until(lambda: answers("/live", 503))
        assert await answers("/ready", 503)
        told = await asyncio.to_thread(subprocess.run, [*TORIL, "alive", file, "--max-age", "1"], check=False)
        assert told.returncode == 1
        await until(lambda: answers("/live", 200))
        command.process.send_signal(signal.SIGTERM)
        assert await command.ends() == 0
    assert not file.exists()


async def test_the_end_of_the_terminal_ends_all(queue: toril.Queue, tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue=queue.name))
    program = f"import os; os.chdir({str(tmp_path)!r}); from toril.cli.main import main; main()"
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TORIL_URL"] = queue.url
        os.execv(sys.executable, [sys.executable, "-c", program, "worker", "shop:app", "--processes", "2"])
    try:
        ledger = tmp_path / "ledger"
        await until(lambda: ledger.exists() and len(ledger.read_text().splitlines()) == 2)
        os.close(terminal)
        _, status = await asyncio.wait_for(asyncio.to_thread(os.waitpid, pid, 0), 20)
        assert os.waitstatus_to_exitcode(status) == 0
    finally:
        pids = [int(line.split()[1]) for line in ledger.read_text().splitlines()]
        for each in (pid, *pids):
            if alive(each):
                os.kill(each, signal.SIGKILL)


@pytest.mark.parametrize(
    ("arguments", "line", "code"),
    [
        (["nowhere:app"], "toril: no module 'nowhere'", 78),
        (["shop:nothing"], "toril: module 'shop' has no 'nothing'", 78),
        (["shop:app", "--queue", "other"], "toril: no job is declared for queue 'other'", 78),
        (["shop:app", "--queue", "q=none"], "a concurrency is a whole number", 78),
        (["shop:app"], "cannot reach valkey://127.0.0.1:1/0", 69),
        (["shop:app", "--reload", "--reload-dir", "nowhere"], "nowhere is no folder", 78),
        (["shop:app", "--liveness-file", "no/where"], "liveness file no/where cannot be written", 78),
        (["shop:app", "--max-age", "0"], "max_age must be more than 0", 78),
        (["shop:app", "--health-port", "{taken}"], "cannot listen at 0.0.0.0:", 78),
    ],
)
async def test_mistakes_are_told_once(tmp_path: Path, arguments: list[str], line: str, code: int) -> None:
    (tmp_path / "shop.py").write_text(APP.format(queue="q"))
    taken = await asyncio.start_server(lambda r, w: None, "0.0.0.0", 0)
    port = taken.sockets[0].getsockname()[1]
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            [*TORIL, "worker", *(each.format(taken=port) for each in arguments), "--processes", "2"],
            cwd=tmp_path,
            env={**os.environ, "TORIL_URL": "valkey://127.0.0.1:1/0", "NO_COLOR": "1", "COLUMNS": "200"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    finally:
        taken.close()
        await taken.wait_closed()
    assert line in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    assert done.returncode == code
