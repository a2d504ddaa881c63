"""The dashboards and alert rules of `deploy/` ask for metrics that there are, in queries that can be parsed.

What there is, the pages' tables say; tests beside the code hold these to what is exposed.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser as promql
import pytest
import yaml

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "docs" / "telemetry.md", ROOT / "docs" / "helpdesk" / "operations.md"]
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
RULES = sorted((ROOT / "deploy" / "prometheus").glob("*.rules.yaml"))
OF_TARGETS = {"instance", "job", "process"}
"""Labels that Prometheus adds, or a supervisor."""


def samples() -> dict[str, set[str]]:
    """The samples' names with their labels, by the tables of the pages."""
    found: dict[str, set[str]] = {}
    for page in PAGES:
        rows = re.findall(
            r"^\| `((?:toril|insightdesk)_\w+)` \| (\w+) \| ([\w, ]*) ?\|", page.read_text(), re.MULTILINE
        )
        for name, kind, labels in rows:
            known = {label.strip() for label in labels.split(",") if label.strip()} | OF_TARGETS
            if kind == "histogram":
                found |= {f"{name}_bucket": known | {"le"}, f"{name}_sum": known, f"{name}_count": known}
            else:
                assert (kind == "counter") == name.endswith("_total"), name
                found[name] = known
    return found


SAMPLES = samples()


class Query(NamedTuple):
    place: str
    text: str


def queries() -> Iterator[Query]:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text())["panels"]:
            for target in panel["targets"]:
                text = target["expr"].replace("$__rate_interval", "5m").replace("$queue", ".*")
                yield Query(f"{path.name}: {panel['title']}", text)
    for rule in rules():
        yield Query(rule["alert"], rule["expr"])


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            yield from group["rules"]


def walk(node: Any) -> Iterator[Any]:
    """A query's tree, from its root."""
    yield node
    for name in ("lhs", "rhs", "expr", "vector_selector", "param"):
        if isinstance(child := getattr(node, name, None), promql.Expr | promql.VectorSelector):
            yield from walk(child)
    for child in getattr(node, "args", None) or ():
        yield from walk(child)


def wrong_with(text: str) -> list[str]:
    """What is wrong with a query."""
    found: list[str] = []
    known: set[str] = set()
    tree = list(walk(promql.parse(text)))
    for node in tree:
        if isinstance(node, promql.VectorSelector):
            labels = SAMPLES.get(node.name)
            if labels is None:
                found.append(f"no metric {node.name}")
                continue
            known |= labels
            asked = {matcher.name for matcher in node.matchers.matchers}
            found += [f"{node.name} has no label {label}" for label in asked - labels]
    for node in tree:
        if isinstance(node, promql.AggregateExpr) and node.modifier is not None:
            found += [f"nothing has the label {label}" for label in set(node.modifier.labels) - known]
    if not known:
        found.append("asks for no metric")
    return found


@pytest.mark.parametrize("query", list(queries()), ids=lambda query: query.place)
def test_a_query_asks_for_what_there_is(query: Query) -> None:
    assert wrong_with(query.text) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("sum(toril_nothing)", "no metric toril_nothing"),
        ('toril_queue_jobs{que="x"}', "toril_queue_jobs has no label que"),
        ("sum by (team) (rate(toril_job_runs_total[5m]))", "nothing has the label team"),
        ("vector(1) > 0", "asks for no metric"),
    ],
)
def test_a_wrong_query_is_found(text: str, told: str) -> None:
    assert told in wrong_with(text)


def test_every_metric_is_looked_at() -> None:
    """A metric that neither a dashboard nor a rule has is forgotten there, or is needless."""
    asked = " ".join(query.text for query in queries())
    unasked = [
        name
        for name in SAMPLES
        if not name.endswith(("_sum", "_count")) and not re.search(rf"\b{name}\b", asked)
    ]
    assert unasked == []


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.name)
def test_a_dashboard_is_whole(path: Path) -> None:
    board = json.loads(path.read_text())
    assert (board["uid"], board["schemaVersion"]) == (path.stem, 39)
    assert board["templating"]["list"][0]["name"] == "datasource"
    panels = board["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) == len({panel["title"] for panel in panels})
    for panel in panels:
        assert panel["datasource"]["uid"] == "${datasource}"
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert panel["targets"], panel["title"]
        place = panel["gridPos"]
        assert 0 <= place["x"] <= place["x"] + place["w"] <= 24, panel["title"]
    for one, two in itertools.combinations(panels, 2):
        a, b = one["gridPos"], two["gridPos"]
        apart = (
            a["x"] + a["w"] <= b["x"]
            or b["x"] + b["w"] <= a["x"]
            or a["y"] + a["h"] <= b["y"]
            or b["y"] + b["h"] <= a["y"]
        )
        assert apart, (one["title"], two["title"])


def test_alerts_say_what_is_wrong_and_how_badly() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names) > 10
    for rule in rules():
        assert rule["labels"]["severity"] in {"info", "warning", "critical"}, rule["alert"]
        assert {"summary", "description"} == set(rule["annotations"]), rule["alert"]
        promql.parse_duration(rule.get("for", "1m"))
        kept = set(re.findall(r"\w+", " ".join(re.findall(r"\bby \(([^)]*)\)", rule["expr"]))))
        used = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        assert used <= kept, rule["alert"]


def test_prometheus_s_own_tool_agrees() -> None:
    """With `promtool`, which Debian's package `prometheus` has; CI installs it."""
    tool = shutil.which("promtool")
    if tool is None:
        message = "promtool is not installed"
        pytest.fail(message) if os.environ.get("CI") else pytest.skip(message)
    for command in (
        ["check", "rules", *RULES],
        ["test", "rules", ROOT / "deploy" / "prometheus" / "tests.yaml"],
        ["check", "config", "--syntax-only", ROOT / "deploy" / "prometheus" / "prometheus.yaml"],
    ):
        done = subprocess.run([tool, *command], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
