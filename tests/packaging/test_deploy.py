"""The files in `deploy/`: every command, option, variable and port that they name is there."""

from __future__ import annotations

import configparser
import functools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from environments import ROOT

from insightdesk.settings import Settings, load_settings

DEPLOY = ROOT / "deploy"
DRAIN = 25.0
"""Seconds that a worker of the examples waits for its jobs."""
VARIABLES = {f"INSIGHTDESK_{name.upper()}" for name in Settings.model_fields} | {"TORIL_URL"}


def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return read


def manifests() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((DEPLOY / "kubernetes" / "insightdesk.yaml").read_text()))


def unit(path: Path) -> dict[str, list[str]]:
    """The entries of a unit's service."""
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(path.read_text())
    return {name: value.split("\n") for name, value in parser["Service"].items()}


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


def commands() -> Iterator[tuple[str, list[str]]]:
    """Each command of ours that a file runs, with where it stands."""
    for name, service in compose()["services"].items():
        if service.get("image") == "insightdesk":
            yield f"compose:{name}", ["insightdesk", *service["command"]]
        test = service.get("healthcheck", {}).get("test", ["CMD", ""])
        if test[1] == "toril":
            yield f"compose:{name}:healthcheck", test[1:]
    for path in sorted((DEPLOY / "systemd").iterdir()):
        for key in ("ExecStart", "ExecStartPre"):
            for line in unit(path).get(key, []):
                program, *rest = shlex.split(line)
                yield f"{path.name}:{key}", [Path(program).name, *rest]
    for manifest in manifests():
        if "template" in manifest.get("spec", {}):
            for container in manifest["spec"]["template"]["spec"]["containers"]:
                yield f"kubernetes:{container['name']}", ["insightdesk", *container["args"]]


@functools.cache
def help_of(module: str, verb: str) -> str:
    return subprocess.run(
        [sys.executable, "-m", module, verb, "--help"], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize(
    ("where", "command"), list(commands()), ids=lambda each: each if isinstance(each, str) else ""
)
def test_a_command_and_its_options_exist(where: str, command: list[str]) -> None:
    program, verb, *rest = command
    shown = help_of({"insightdesk": "insightdesk", "toril": "toril.cli"}[program], verb)
    for option in (each for each in rest if each.startswith("--")):
        assert re.search(rf"{option}\b", shown), f"{where}: {verb} has no {option}"


@pytest.mark.parametrize(
    "path", sorted(each for each in DEPLOY.rglob("*") if each.is_file()), ids=lambda each: each.name
)
def test_each_variable_is_a_setting(path: Path) -> None:
    assert set(re.findall(r"\b(?:INSIGHTDESK|TORIL)_[A-Z_]+\b", path.read_text())) <= VARIABLES


def test_the_environments_are_settings_that_can_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    of_compose = {
        name: re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)\}", lambda found: found[1] or "secret", value)
        for name, value in compose()["x-insightdesk"]["environment"].items()
    }
    of_kubernetes = {
        name: value
        for manifest in manifests()
        for name, value in (manifest.get("stringData") or manifest.get("data") or {}).items()
    }
    for variables in (of_compose, of_kubernetes):
        with monkeypatch.context() as patched:
            for name, value in variables.items():
                patched.setenv(name, value)
            assert load_settings().drain_seconds == DRAIN


def test_compose_waits_for_servers_drains_workers_and_asks_each_part_for_its_health() -> None:
    services = compose()["services"]
    assert set(services) == {"valkey", "postgres", "migrate", "api", "worker"}
    assert all("healthcheck" in service for name, service in services.items() if name != "migrate")
    for name, service in services.items():
        for needed, condition in service.get("depends_on", {}).items():
            if condition["condition"] == "service_healthy":
                assert "healthcheck" in services[needed], name
    assert seconds(services["worker"]["stop_grace_period"]) > DRAIN
    assert "noeviction" in services["valkey"]["command"]
    alive = services["worker"]["healthcheck"]["test"]
    assert services["worker"]["command"][-1] == alive[alive.index("alive") + 1]


def test_units_give_a_worker_longer_than_it_drains() -> None:
    for path in sorted((DEPLOY / "systemd").glob("*worker*")):
        service = unit(path)
        drain = re.search(r"(?:DRAIN_SECONDS=|--drain-timeout )(\d+)", path.read_text())
        assert drain, path.name
        assert float(service["TimeoutStopSec"][0]) > float(drain[1]), path.name


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        message = "systemd-analyze is not installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    for path in (DEPLOY / "systemd").iterdir():
        # The programs are not installed here; a unit is verified with one that is.
        text = re.sub(r"(?m)^(Exec\w+=)\S+", rf"\1{sys.executable}", path.read_text())
        copy = tmp_path / path.name.replace("@.", "@one.")
        copy.write_text(text)
        done = subprocess.run(
            ["systemd-analyze", "verify", "--man=no", copy], capture_output=True, text=True, check=False
        )
        assert path.name.partition(".")[0] not in done.stderr, done.stderr


def test_kubernetes_probes_what_a_container_serves_and_waits_longer_than_it_drains() -> None:
    found = manifests()
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    assert {("Deployment", "insightdesk-api"), ("Deployment", "insightdesk-worker")} <= names
    labels = []
    for each in found:
        if each["kind"] != "Deployment":
            continue
        pod = each["spec"]["template"]
        labels.append(pod["metadata"]["labels"])
        assert each["spec"]["selector"]["matchLabels"] == labels[-1]
        (container,) = pod["spec"]["containers"]
        ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] in ports
        assert set(ports.values()) <= set(container["args"])
        for source in container["envFrom"]:
            kind = {"secretRef": "Secret", "configMapRef": "ConfigMap"}[next(iter(source))]
            assert (kind, next(iter(source.values()))["name"]) in names
        stop = pod["spec"]["terminationGracePeriodSeconds"]
        before = (
            container.get("lifecycle", {}).get("preStop", {}).get("exec", {}).get("command", ["sleep", "0"])
        )
        assert stop > float(before[-1]) + (DRAIN if container["name"] == "worker" else 5.0)
    for each in found:
        selector = each["spec"].get("selector") if "spec" in each else None
        if each["kind"] in ("Service", "PodDisruptionBudget"):
            assert selector.get("matchLabels", selector) in labels


def test_the_image_is_built_of_what_is_there_and_runs_as_nobody_special() -> None:
    lines = (DEPLOY / "Dockerfile").read_text().replace("\\\n", "").splitlines()
    instructions = [line.split(maxsplit=1) for line in lines if line and line[0] not in "# "]
    assert [verb for verb, _ in instructions].count("FROM") == 2
    kept = re.findall(r"(?m)^!(\S+)", (DEPLOY / "Dockerfile.dockerignore").read_text())
    for verb, rest in instructions:
        if verb == "COPY" and not rest.startswith("--from"):
            source = rest.split()[0]
            assert (ROOT / source).exists()
            assert source in kept
    users = [rest for verb, rest in instructions if verb == "USER"]
    assert users[-1].isdecimal()
    assert int(users[-1]) > 0
    assert any("--only-binary=:all:" in rest for verb, rest in instructions if verb == "RUN")
    (entry,) = (json.loads(rest) for verb, rest in instructions if verb == "ENTRYPOINT")
    assert entry == ["insightdesk"]
