"""A Django project on PostgreSQL: migration, views' transactions, the command, each as its users run it."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

import toril
from insightdesk.embedded import postgres

SETTINGS = """
import os
SECRET_KEY = "of tests"
USE_TZ = True
INSTALLED_APPS = ["toril.integrations.django", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["DB_NAME"],
    "USER": os.environ["DB_USER"], "HOST": os.environ["DB_HOST"], "PORT": os.environ["DB_PORT"]}}
TORIL_APP = "shop.jobs:app"
"""
MODELS = """
from django.db import models

class Order(models.Model):
    item = models.TextField()
    state = models.TextField(default="new")
"""
JOBS = """
import os
import toril
from toril.integrations.django.jobs import with_database

app = toril.Toril(prefix=os.environ["TORIL_PREFIX"])

@app.job("orders", name="ship")
@with_database
def ship(order_id: int) -> str:
    from shop.models import Order
    order = Order.objects.get(pk=order_id)
    order.state = "shipped"
    order.save()
    return order.item
"""
# What a project's views do.
VIEWS = """
import asyncio, os
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "settings")
import django
django.setup()
from django.db import transaction
from toril.integrations.django.application import portal
from toril.integrations.django.jobs import enqueue, enqueue_in_transaction, enqueue_on_commit
from shop.jobs import ship
from shop.models import Order
import toril

class Refused(Exception): ...

def order(how, item, commits=True):
    try:
        with transaction.atomic():
            made = Order.objects.create(item=item)
            how(ship, order_id=made.pk)
            if not commits:
                raise Refused
    except Refused:
        pass

for how in (enqueue_on_commit, enqueue_in_transaction):
    order(how, how.__name__)
    order(how, "rolled back", commits=False)
late = Order.objects.create(item="outside")
assert enqueue(ship, order_id=late.pk)
enqueue_on_commit(ship, order_id=late.pk)  # no transaction: at once
try:
    with transaction.atomic():
        enqueue_on_commit(ship, order_id="seven")
except toril.InvalidPayload as error:
    print("refused:", error)
child = os.fork()
if child == 0:
    enqueue(ship, order_id=late.pk)  # as in a server's forked worker
    portal().close()
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
portal().close()
enqueue(ship, order_id=late.pk)
portal().close()
"""


@pytest.fixture(scope="module")
def database_url() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="toril-django-") as folder, postgres(Path(folder)) as url:
        yield url


@pytest.fixture
def project(
    tmp_path: Path, database_url: str, valkey_url: str, queue_name: str
) -> tuple[Path, dict[str, str]]:
    """A project's folder, and the environment of its processes."""
    (tmp_path / "shop" / "migrations").mkdir(parents=True)
    for name, text in {
        "settings.py": SETTINGS,
        "views.py": VIEWS,
        "shop/__init__.py": "",
        "shop/models.py": MODELS,
        "shop/jobs.py": JOBS,
        "shop/migrations/__init__.py": "",
    }.items():
        (tmp_path / name).write_text(text)
    url = sa.make_url(database_url)
    return tmp_path, {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(tmp_path),
        "DJANGO_SETTINGS_MODULE": "settings",
        "DB_NAME": str(url.database),
        "DB_USER": str(url.username),
        "DB_HOST": str(url.host or url.query["host"]),
        "DB_PORT": str(url.port or url.query.get("port", "5432")),
        "TORIL_URL": valkey_url,
        "TORIL_PREFIX": queue_name,
    }


def run(project: tuple[Path, dict[str, str]], *arguments: str) -> subprocess.CompletedProcess[str]:
    folder, environment = project
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def test_jobs_follow_transactions_and_the_command_runs_them(
    project: tuple[Path, dict[str, str]], valkey_url: str, queue_name: str, database_url: str
) -> None:
    for command in (["makemigrations", "shop"], ["migrate"]):
        done = run(project, "-m", "django", *command)
        assert done.returncode == 0, done.stderr
    done = await asyncio.to_thread(run, project, "views.py")
    assert done.returncode == 0, done.stderr
    assert "refused: " in done.stdout
    assert "order" in done.stdout

    folder, environment = project
    worker = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "django", "toril_worker", "--queue", "orders=3", "--relay"),
        cwd=folder,
        env=environment,
        stderr=asyncio.subprocess.PIPE,
    )
    async with toril.Queue("orders", valkey_url, prefix=queue_name) as queue, asyncio.timeout(30):
        while (await queue.get_job_counts())["completed"] < 6:
            await asyncio.sleep(0.05)
        shipped = sorted(
            str(job.return_value) for job in await queue.get_jobs(toril.JobState.COMPLETED, 0, 99)
        )
    worker.send_signal(signal.SIGTERM)
    _, errors = await worker.communicate()
    assert worker.returncode == 0, errors.decode()
    assert shipped == ["enqueue_in_transaction", "enqueue_on_commit", *["outside"] * 4]
    engine = sa.create_engine(sa.make_url(database_url).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        states = connection.execute(sa.text("SELECT DISTINCT state FROM shop_order")).scalars().all()
        backends = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
        assert connection.execute(sa.text(backends)).scalar_one() == 1  # ours: none is left behind
    engine.dispose()
    assert states == ["shipped"]


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ('"shop.jobs:nothing"', "nothing"),
        ('"shop.jobs:ship"', "not a toril.Toril"),
        ("None", "TORIL_APP must name"),
    ],
)
def test_a_wrong_setting_is_told(project: tuple[Path, dict[str, str]], target: str, told: str) -> None:
    folder, _ = project
    (folder / "settings.py").write_text(SETTINGS.replace('"shop.jobs:app"', target))
    done = run(project, "-m", "django", "toril_worker")
    assert done.returncode != 0
    assert told in done.stderr


def test_a_wrong_queue_is_one_line(project: tuple[Path, dict[str, str]]) -> None:
    done = run(project, "-m", "django", "toril_worker", "--queue", "orders=many")
    assert (done.returncode, done.stderr) == (
        1,
        "CommandError: --queue orders=many: a concurrency is a whole number from 1\n",
    )
