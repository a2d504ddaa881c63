"""What is published: its content, what it needs, that it works where only it is installed."""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from environments import ROOT, Environment, run

import toril

PACKAGES = {"toril": {"toril", "toril_pytest"}, "insightdesk": {"insightdesk"}}
CORE = {"libvalkey", "msgspec", "toril", "tzdata"}

JOB = """
import asyncio, sys
import toril

async def main():
    app = toril.Toril(sys.argv[1])

    @app.job("packaged")
    async def greet(name: str) -> str:
        return f"Hello, {name}"

    async with app.worker_running():
        print(await (await greet.enqueue(name="Ann")).wait(timeout=20))
    await app.close()

asyncio.run(main())
"""

TYPED = """
from typing import assert_type
import toril

app = toril.Toril()

@app.job("email", attempts=3)
async def welcome(user_id: str, age: int) -> str:
    return user_id

async def use() -> None:
    assert_type(await welcome.enqueue(user_id="u1", age=3), toril.Job)
    await welcome.options(delay=60.0).enqueue("u1", 3)
    await welcome.enqueue(user_id=1, age=3)  # type: ignore[arg-type]
    await welcome.enqueue(user="u1", age=3)  # type: ignore[call-arg]
    welcome.options(delays=60.0)  # type: ignore[call-arg]
"""


@pytest.mark.parametrize("name", PACKAGES)
def test_a_wheel_has_all_of_the_source_its_license_and_nothing_else(
    name: str, wheels: dict[str, Path]
) -> None:
    with zipfile.ZipFile(wheels[name]) as wheel:
        names = set(wheel.namelist())
    metadata = {each for each in names if each.partition("/")[0].endswith(".dist-info")}
    assert any(each.endswith("/licenses/LICENSE") for each in metadata)
    tracked = subprocess.run(
        ["git", "ls-files", f"{name}/src"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert names - metadata == {each.removeprefix(f"{name}/src/") for each in tracked}
    assert {each.partition("/")[0] for each in names - metadata} == PACKAGES[name]
    assert {f"{package}/py.typed" for package in PACKAGES[name]} <= names


@pytest.mark.parametrize("name", PACKAGES)
def test_a_source_distribution_can_be_built_from_and_has_no_tests(name: str, dist: Path) -> None:
    (archive,) = dist.glob(f"{name}-*.tar.gz")
    with tarfile.open(archive) as source:
        names = {each.partition("/")[2] for each in source.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO"} <= names
    assert not any("tests" in each.split("/") for each in names)


def test_each_distribution_has_the_project_s_license() -> None:
    texts = {(ROOT / folder / "LICENSE").read_text() for folder in (".", *PACKAGES)}
    assert len(texts) == 1


def test_toril_alone_needs_its_client_msgspec_and_time_zones(core: Environment) -> None:
    assert {each["name"] for each in json.loads(core.pip("list", "--format", "json"))} == CORE
    core.pip("check")


def test_toril_alone_runs_jobs(core: Environment, tmp_path: Path) -> None:
    (tmp_path / "job.py").write_text(JOB)
    with toril.embedded() as url:
        assert core.run("python", "job.py", url, cwd=tmp_path) == "Hello, Ann\n"


def test_what_needs_an_extra_names_it(core: Environment) -> None:
    command = subprocess.run([core.folder / "bin" / "toril"], capture_output=True, text=True, check=False)
    assert (command.returncode, "toril[cli]" in command.stderr) == (1, True)
    failed = core.run(
        "python",
        "-c",
        "import toril\ntry:\n toril.embedded().__enter__()\nexcept toril.TorilError as e:\n print(e)",
    )
    assert "toril[embedded]" in failed


def test_a_user_s_code_is_checked_against_the_installed_types(core: Environment, tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text(TYPED)
    run(
        *(sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--python-executable", core.python),
        *("--cache-dir", tmp_path / "cache", "user.py"),
        cwd=tmp_path,
    )


def test_insightdesk_runs_from_its_wheel(desk: Environment, tmp_path: Path) -> None:
    desk.pip("check")
    help_text = desk.run("insightdesk", "--help", cwd=tmp_path)
    assert all(command in help_text for command in ("dev", "api", "worker", "migrate"))
    # Its templates and its migrations are in the wheel.
    desk.run("insightdesk", "mail", "preview", "--out", tmp_path / "mails", cwd=tmp_path)
    assert len(list((tmp_path / "mails").glob("*.html"))) > 10
    script = "from insightdesk.migrations import head_revision; print(head_revision())"
    assert desk.run("python", "-c", script, cwd=tmp_path).strip()
    assert "worker" in desk.run("toril", "--help", cwd=tmp_path)


@pytest.mark.parametrize(("name", "environment"), [("toril", "core"), ("insightdesk", "desk")])
def test_a_bill_of_materials_names_all_that_is_installed(
    name: str, environment: str, dist: Path, request: pytest.FixtureRequest
) -> None:
    """It is left beside the wheels, as a part of what CI makes."""
    made: Environment = request.getfixturevalue(environment)
    file = dist / f"{name}.cdx.json"
    run(
        *(sys.executable, "-m", "cyclonedx_py", "environment", "--output-reproducible"),
        *("--output-format", "JSON", "--output-file", file, made.python),
    )
    bill = json.loads(file.read_text())
    assert bill["bomFormat"] == "CycloneDX"
    installed = {each["name"] for each in json.loads(made.pip("list", "--format", "json"))}
    assert {each["name"] for each in bill["components"]} == installed
    assert all(each.get("version") for each in bill["components"])
