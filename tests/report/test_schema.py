"""The schema of the JSON envelope: real outputs fit it, and no key is left undescribed."""

from __future__ import annotations

import copy
import json
from dataclasses import fields, replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from aiplan.cli import main
from aiplan.report.json import envelope, render_json
from aiplan.report.model import Column, InputRecord, Line, Warn
from aiplan.report.schema import DRAFT, result_schema
from tests.report.sample import nasty_report, sample_report

COMMANDS = [
    ["energy", "--samples", "1000"],
    ["energy", "oviedo-2026", "--samples", "1000", "--stamp"],
    ["energy", "oviedo-2025", "--samples", "1000"],
    ["energy", "published"],
    ["catalog", "list"],
    ["catalog", "show", "h100-sxm"],
    ["catalog", "show", "ashburn-va"],
    ["validate"],
]


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with every object it describes key by key closed to other keys."""
    found = copy.deepcopy(schema)
    todo: list[Any] = [found]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if "properties" in node:
                node["additionalProperties"] = False
            todo += node.values()
        elif isinstance(node, list):
            todo += node
    return found


VALIDATOR = Draft202012Validator(closed(result_schema()))


def misfits(content: Any) -> list[str]:
    return [f"{list(error.path)}: {error.message}" for error in VALIDATOR.iter_errors(content)]


def test_it_is_a_schema() -> None:
    schema = result_schema()
    assert schema["$schema"] == DRAFT == Draft202012Validator.META_SCHEMA["$id"]
    Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


def test_the_command_prints_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "result"]) == 0
    assert json.loads(capsys.readouterr().out) == result_schema()


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_what_commands_write_fits(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--format", "json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert misfits(content) == []
    assert content["tables"] or content["lines"]


@pytest.mark.parametrize("table", [None, "models"])
def test_sample_reports_fit(table: str | None) -> None:
    assert misfits(json.loads(render_json(sample_report(), table=table))) == []
    assert misfits(json.loads(render_json(nasty_report()))) == []


def test_every_key_of_an_envelope_is_described() -> None:
    schema = result_schema()
    content = envelope(replace(sample_report(), stamp="2026-11-22T00:00:00+00:00"))
    assert list(content) == list(schema["properties"])
    assert all(item.get("description") for item in schema["properties"].values())
    for name, model in (("line", Line), ("input", InputRecord), ("warning", Warn), ("column", Column)):
        described = schema["$defs"][name]["properties"]
        assert list(described) == [field.name for field in fields(model)]
        assert all(item["description"] for item in described.values())


def _changed(*path: str | int, value: Any) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(render_json(sample_report()))
    node: Any = content
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return content


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema",), "aiplan/energy/2"),
        (("schema",), "energy/1"),
        (("seed",), -1),
        (("seed",), 0.5),
        (("boundary",), 3),
        (("scenario", "sha256"), "abc"),
        (("lines", 0, "value"), [1]),
        (("lines", 0, "p5"), "low"),
        (("lines", 0, "grade"), "good"),
        (("lines", 0, "sources"), "one"),
        (("lines", 0, "effects"), ["0.1"]),
        (("tables", "models"), {"model": 1}),
        (("tables", "models", 0), {"model": {"nested": 1}}),
        (("warnings", 0), {"code": "W"}),
        (("not_modelled",), [1]),
        (("inputs", 0, "distribution"), 3),
        (("sources",), {"a": None}),
        (("context",), [{"label": "a"}]),
        (("table_info", "models", "assumed"), [["models", 0]]),
        (("table_info", "models", "columns", 0), {"id": "model"}),
        (("surprise",), 1),
    ],
)
def test_what_does_not_fit_is_found(path: tuple[str | int, ...], value: Any) -> None:
    found = misfits(_changed(*path, value=value))
    assert found
    where = str(list(path[:-1]))[1:-1]
    assert all(where in one for one in found)


def test_a_sampled_line_has_all_its_quantiles() -> None:
    content = json.loads(render_json(sample_report()))
    del content["lines"][0]["p95"]
    assert len(misfits(content)) == 1


@pytest.mark.parametrize("key", ["lines", "catalog", "sources", "table_info"])
def test_keys_may_not_go_missing(key: str) -> None:
    content = json.loads(render_json(sample_report()))
    del content[key]
    assert len(misfits(content)) == 1
