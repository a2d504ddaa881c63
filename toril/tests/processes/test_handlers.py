"""Handlers in processes of their own: results, errors, crashes, time limits, cancellation."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

import toril
from toril.sandbox.errors import from_wire, to_wire

from .conftest import Running, is_gone, until, wait_gone


async def test_results_come_back_from_other_processes(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process", concurrency=2):
        pids = {await (await queue.add("pid")).wait(20) for _ in range(5)}
        assert len(pids) == 1, "an idle process is used again"
        assert os.getpid() not in pids
        assert len(await (await queue.add("big")).wait(20)) == 5 * 1024 * 1024
    wait_gone(pids.pop())


async def test_declared_jobs_run_where_they_say(
    valkey_url: str, queue_name: str, handlers: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORIL_URL", valkey_url)
    app: toril.Toril = handlers.app
    app.prefix = queue_name
    async with app.worker_running():
        squared, by = await (await handlers.square.enqueue(n=4)).wait(20)
        cubed, also_by = await (await handlers.cube.options(attempts=2).enqueue(n=2)).wait(20)
        assert (squared, cubed) == (16, 8)
        assert by == also_by != os.getpid()
        assert await (await handlers.here.enqueue()).wait(20) == os.getpid()
        bad = await app.queue("cpu").add("square", {"n": "x"}, attempts=3)
        with pytest.raises(toril.JobFailed, match="payload of job square"):
            await bad.wait(20)
    await app.close()


async def test_errors_come_back_with_their_stack(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    seen: list[tuple[str, str]] = []

    def strategy(attempts: int, error: BaseException, job: toril.Job) -> float:
        assert isinstance(error, toril.HandlerRaised)
        seen.append((error.type_name, str(error)))
        return -1.0

    async with running(handlers.act, run_in="process", backoffs={"mine": strategy}):
        job = await queue.add("raise", 7, attempts=5, backoff=toril.Backoff.custom("mine"))
        with pytest.raises(toril.JobFailed, match=r"^odd 7$"):
            await job.wait(20)
    assert seen == [("Odd", "odd 7")]
    found = await queue.get_job(job.id)
    assert found is not None
    assert "in do_raise" in found.stacktrace[-1]
    assert "Odd: odd 7" in found.stacktrace[-1]


async def test_outcomes_steer_from_a_process(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process", concurrency=2):
        assert await (await queue.add("snooze")).wait(20) == "made 0"
        assert await (await queue.add("retry", attempts=2)).wait(20) == "made 1"
        for name, reason in (("fail", "never"), ("object", "handler's result")):
            failed = await queue.add(name, attempts=3)
            with pytest.raises(toril.JobFailed, match=reason):
                await failed.wait(20)
            found = await queue.get_job(failed.id)
            assert found is not None
            assert found.attempts_made == 1


def test_every_outcome_travels_whole() -> None:
    outcomes = [
        toril.Cancelled("by me"),
        toril.DeadlineExceeded("too late"),
        toril.Fail("never"),
        toril.RateLimited(3, "told so"),
        toril.Retry(1.5),
        toril.Snooze(2, "later"),
        toril.WaitForChildren("two"),
    ]
    assert {type(each) for each in outcomes} == set(toril.Outcome.__subclasses__())
    for sent in (*outcomes, toril.InvalidPayload("no number")):
        got = from_wire(to_wire(sent))
        assert (type(got), str(got), vars(got)) == (type(sent), str(sent), vars(sent))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("exit", "the job's process exited with code 3"),
        ("sys_exit", "4"),
        ("kill", r"the job's process died with signal 9 \(SIGKILL\)"),
        ("segfault", r"the job's process died with signal 11 \(SIGSEGV\)"),
    ],
)
async def test_a_crash_fails_the_attempt_and_nothing_else(
    queue: toril.Queue, running: Running, handlers: ModuleType, name: str, reason: str
) -> None:
    async with running(handlers.act, run_in="process", concurrency=2):
        crashing = await queue.add(name)
        neighbours = [await queue.add("pid") for _ in range(5)]
        with pytest.raises(toril.JobFailed, match=f"^{reason}$"):
            await crashing.wait(20)
        for job in neighbours:
            assert await job.wait(20)


async def test_a_crashed_attempt_is_tried_again(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process"):
        job = await queue.add("crash_once", attempts=2)
        assert await job.wait(20) == "the second time"


async def test_a_process_that_died_while_idle_harms_no_job(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process"):
        first = await (await queue.add("pid")).wait(20)
        os.kill(first, signal.SIGKILL)
        second = await (await queue.add("pid")).wait(20)
        assert second != first


async def has_progress(job: toril.Job, queue: toril.Queue) -> bool:
    found = await queue.get_job(job.id)
    return found is not None and bool(found.progress)


async def burning(job: toril.Job, queue: toril.Queue) -> tuple[int, int]:
    """Wait until the job's process has said its id and that of the one beside it."""

    await until(lambda: has_progress(job, queue))
    found = await queue.get_job(job.id)
    assert found is not None
    return found.progress["pid"], found.progress["beside"]


async def test_a_time_limit_kills_the_process(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process"):
        job = await queue.add("burn", timeout=1.0)
        pid, beside = await burning(job, queue)
        with pytest.raises(toril.JobFailed, match=r"^timed out after 1 s; its process was killed$"):
            await job.wait(20)
        assert is_gone(pid)
        wait_gone(beside)
        assert await (await queue.add("pid")).wait(20) != pid


async def test_cancelling_the_job_kills_the_process(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process"):
        job = await queue.add("burn", attempts=3)
        pid, beside = await burning(job, queue)
        await job.cancel("no more wanted")
        with pytest.raises(toril.JobFailed, match="cancelled: no more wanted"):
            await job.wait(20)
        assert is_gone(pid)
        wait_gone(beside)


async def test_a_forced_stop_kills_the_process_and_hands_the_job_back(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process") as worker:
        job = await queue.add("burn")
        pid, beside = await burning(job, queue)
        worker.stop(force=True)
    assert is_gone(pid)
    wait_gone(beside)
    assert await job.get_state() == toril.JobState.WAITING
    found = await queue.get_job(job.id)
    assert found is not None
    assert found.attempts_made == 0


async def test_a_lost_lock_kills_the_process_and_settles_nothing(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process", lock_duration=0.6) as worker:
        job = await queue.add("burn")
        pid, beside = await burning(job, queue)
        await queue.store.connection.call("SET", f"{queue.store.keys.job(job.id)}:lock", "another's")
        await until(lambda: worker.running == 0)
        assert is_gone(pid)
        wait_gone(beside)
    assert await job.get_state() == toril.JobState.ACTIVE


async def test_a_signal_to_the_whole_service_harms_no_process(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.act, run_in="process"):
        job = await queue.add("until_told")
        await until(lambda: has_progress(job, queue))
        found = await queue.get_job(job.id)
        assert found is not None
        os.kill(found.progress["pid"], signal.SIGTERM)
        os.kill(found.progress["pid"], signal.SIGINT)
        await job.log("go on")
        assert await job.wait(20) == "told"


@pytest.mark.parametrize("kind", ["plain", "async"])
async def test_progress_and_logs_work_from_within(
    queue: toril.Queue, running: Running, handlers: ModuleType, kind: str
) -> None:
    handler = handlers.tell if kind == "async" else handlers.do_tell
    async with running(handler, run_in="process"):
        job = await queue.add("tell")
        assert await job.wait(20) == 1
    found = await queue.get_job(job.id)
    assert found is not None
    assert found.progress == 50


async def test_plain_handlers_in_threads_can_tell_too(
    queue: toril.Queue, running: Running, handlers: ModuleType
) -> None:
    async with running(handlers.do_tell):
        assert await (await queue.add("tell")).wait(20) == 1


async def test_run_async_is_for_plain_handlers_only() -> None:
    with pytest.raises(toril.WrongPlace, match="plain `def` handlers"):
        toril.run_async(asyncio.sleep(0))


async def test_handlers_that_no_process_can_import_are_refused(handlers: ModuleType) -> None:
    def closure(job: toril.Job) -> None: ...

    app = toril.Toril()
    with pytest.raises(toril.InvalidOption, match="not inside a function"):
        app.job("cpu", run_in="process")(closure)
    with pytest.raises(toril.InvalidOption, match="not inside a function"):
        toril.Worker("cpu", lambda job: None, run_in="process")
    with pytest.raises(toril.InvalidOption, match="a function of a module, not a partial"):
        toril.Worker("cpu", partial(handlers.act), run_in="process")
    with pytest.raises(toril.InvalidOption, match="must be 'process'"):
        toril.Worker("cpu", handlers.act, run_in="fork")  # type: ignore[arg-type]


async def test_a_module_that_cannot_be_imported_fails_the_attempt(
    queue: toril.Queue, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    name = f"breaks_{queue.name.rpartition('-')[2]}"
    (tmp_path / f"{name}.py").write_text("def handler(job): ...\n")
    handler = __import__(name).handler
    (tmp_path / f"{name}.py").write_text("1 / 0  # no longer\n")
    async with running(handler, run_in="process"):
        job = await queue.add("x")
        with pytest.raises(toril.JobFailed, match=f"cannot import {name}:handler: division by zero"):
            await job.wait(20)


SCRIPT = """
import asyncio, os, sys
import toril

def handler(job):
    return os.getpid()

async def main():
    queue, url = sys.argv[1:3]
    worker = toril.Worker(queue, handler, url=url, run_in="process")
    running = asyncio.create_task(worker.run())
    async with toril.Queue(queue, url) as q:
        print(await (await q.add("x")).wait(20) != os.getpid())
    worker.stop()
    await running

if __name__ == "__main__":
    asyncio.run(main())
"""


async def test_a_script_s_own_handler_is_found(queue: toril.Queue, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, script, queue.name, queue.url],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


KILLED = """
import asyncio, sys
sys.path.insert(0, sys.argv[3])
import cpu_handlers, toril
asyncio.run(toril.Worker(sys.argv[1], cpu_handlers.act, url=sys.argv[2], run_in="process").run())
"""


async def test_the_process_dies_with_its_worker(queue: toril.Queue) -> None:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, queue.name, queue.url, str(Path(__file__).parent)
    )
    job = await queue.add("burn")
    pid, beside = await burning(job, queue)
    worker.kill()
    await worker.wait()
    wait_gone(pid)
    if not is_gone(beside):
        os.kill(beside, signal.SIGKILL)
