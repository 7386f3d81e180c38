"""README and docs against the code: what they show must work, what they list must be all there is, and nothing else."""

from __future__ import annotations

import io
import json
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from rich.console import Console

import eesim
from eesim import units
from eesim.cli.check import check_file, kind_of
from eesim.cli.main import COMMANDS, build_parser, main
from eesim.cli.sensitivity import _ranges
from eesim.document import Document
from eesim.errors import Problem
from eesim.hardware.spec import Board
from eesim.mapping.policy import PRESETS, Policy, PolicyChange, Queue, resolve_policy
from eesim.metrics.result import Result
from eesim.overrides import apply_overrides, parse_overrides
from eesim.plan.plan import EventKind
from eesim.scenario.load import Scenario, expand_short, resolve
from eesim.scenario.sensitivity import PlausibleSpec
from eesim.scenario.spec import ScenarioSpec
from eesim.spec import validate_document
from eesim.sweeps.columns import FACTS
from eesim.sweeps.spec import StudySpec
from eesim.sweeps.study import load_study
from eesim.sweeps.sweep import Sweep
from eesim.sweeps.worker import Spent
from eesim.whatif.plausible import read_plausible
from eesim.whatif.ranges import declared
from eesim.workload.network import Network
from eesim.workload.profile import Profile
from eesim.yamldoc import load_document, parse_document

ROOT = Path(__file__).parents[1]
SCENARIOS = ROOT / "scenarios"
CAMERA = SCENARIOS / "ee_resnet18_camera.yaml"
BOARD = ROOT / "hw_models" / "rk3399pro"
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FORMATS = ROOT / "docs" / "file-formats.md"
WHAT_IF = ROOT / "docs" / "what-if.md"
TUTORIAL = ROOT / "docs" / "tutorial.md"
"""Its commands and files belong together in a folder of their own: `test_tutorial` types them."""
SEMANTICS = ROOT / "docs" / "semantics.md"
BOARD_MODEL = ROOT / "docs" / "board-model.md"

MARKS = ("scenario", "scenario-part", "board", "network", "profile", "study", "plausible")
"""What a YAML block is, said after ``yaml`` where it begins; or ``file=PATH``, for blocks that belong together."""


class Block(NamedTuple):
    page: Path
    line: int
    language: str
    mark: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@cache
def blocks() -> tuple[Block, ...]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(r"^```(\w+)[ ]*([^\n]*)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(Block(page, line, match[1], match[2].strip(), match[3]))
    return tuple(found)


def of_language(*languages: str) -> list[Block]:
    found = [block for block in blocks() if block.language in languages]
    assert found, f"no blocks of {languages}: is the pattern right?"
    return found


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def rows_after(page: Path, mark: str, *, inside: bool = False) -> list[list[str]]:
    """Cells of the first table after a mark (or with the mark as its heading), the heading first."""
    text = page.read_text(encoding="utf-8")
    assert text.count(mark) == 1, f"{mark!r} must be in {page.name} once, not {text.count(mark)} times"
    lines = text[text.index(mark) :].splitlines()[0 if inside else 1 :]
    begin = next(i for i, line in enumerate(lines) if line.startswith("|"))
    table = []
    for line in lines[begin:]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return [row for i, row in enumerate(table) if i != 1]


def keys_after(mark: str, page: Path = FORMATS) -> list[str]:
    return [code(row[0])[0] for row in rows_after(page, f"<!-- keys: {mark} -->")[1:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]*)`", cell)


@cache
def camera_result() -> Result:
    return eesim.run(eesim.load(CAMERA, {"run.frames": 200, "run.replications": 2}), log_frames=50)


# -- blocks of code ------------------------------------------------------------------------------------


def test_blocks_are_closed() -> None:
    for page in PAGES:
        assert page.read_text(encoding="utf-8").count("\n```") % 2 == 0, page.name


def test_yaml_blocks_say_what_they_are() -> None:
    for block in of_language("yaml"):
        assert block.mark in MARKS or block.mark.startswith("file="), f"{block}: {block.mark!r}"


@pytest.mark.parametrize("block", [b for b in of_language("yaml") if b.mark in MARKS], ids=str)
def test_yaml_block_is_valid(block: Block) -> None:
    document = parse_document(block.text, str(block))
    if block.mark == "scenario":
        resolve(document, SCENARIOS)
    elif block.mark == "study":
        load_study(document.data, folder=SCENARIOS)
    elif block.mark == "scenario-part":
        resolve(load_document(CAMERA).merged(document), SCENARIOS)
    else:
        models = {"board": Board, "network": Network, "profile": Profile, "plausible": PlausibleSpec}
        validate_document(models[block.mark], document)


@pytest.mark.parametrize(
    "page", sorted({b.page for b in blocks() if b.mark.startswith("file=")} - {TUTORIAL}), ids=lambda p: p.name
)
def test_files_that_belong_together_run(page: Path, tmp_path: Path) -> None:
    scenarios = []
    for block in blocks():
        if block.page == page and block.mark.startswith("file="):
            path = tmp_path / block.mark.removeprefix("file=")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
            if kind_of(load_document(path)) == "scenario":
                scenarios.append(path)
    assert scenarios
    for path in scenarios:
        assert eesim.run(eesim.load(path), replications=2).value("latency_ms.mean")


@pytest.mark.parametrize("block", of_language("python"), ids=str)
def test_python_block_runs(block: Block, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    exec(compile(block.text, str(block), "exec"), {})
    assert bool(capsys.readouterr().out) == ("print(" in block.text)


def shell_lines() -> Iterator[tuple[Block, str]]:
    for block in of_language("sh"):
        if block.page != TUTORIAL:
            for line in block.text.splitlines():
                yield block, line


def make_targets() -> list[str]:
    return re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


def check_eesim_line(words: list[str]) -> None:
    """Parse a command line with the real parser, and load what it refers to."""
    arguments = build_parser().parse_args(words)
    if arguments.command in ("run", "thresholds"):
        eesim.load(ROOT / arguments.scenario, arguments.overrides)
    elif arguments.command == "sweep" and arguments.best is None and not arguments.compact:
        load_study(ROOT / arguments.study, arguments.overrides)
    elif arguments.command == "show":
        assert main(["show", arguments.what, arguments.name, "--json"]) == 0
    elif arguments.command == "check":
        for name in arguments.files:
            check_file(str(ROOT / name), arguments.overrides)
    elif arguments.command == "compare":
        assert len(arguments.scenarios) + len(arguments.against) > 1
        for name in arguments.scenarios:
            eesim.load(ROOT / name, arguments.overrides)
        for extra in arguments.against:
            eesim.load(ROOT / arguments.scenarios[0], [*arguments.overrides, *extra])
    elif arguments.command == "sensitivity":
        scenario = eesim.load(ROOT / arguments.scenario, arguments.overrides)
        declared(scenario, _ranges(arguments.ranges), lambda path: Problem("--range", 0, path, ""))
        if arguments.plausible:
            read_plausible(scenario, ROOT / arguments.plausible)


def test_command_lines_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    seen = set()
    for block, line in shell_lines():
        words = shlex.split(line)
        if words[0] == "make":
            assert words[1] in make_targets(), f"{block}: {line}"
        elif words[0] == "eesim":
            try:
                check_eesim_line(words[1:])
            except SystemExit:
                pytest.fail(f"{block}: {line}: the parser refuses it")
            seen.add(words[1])
        else:
            assert line == ". .venv/bin/activate", f"{block}: {line}: a command that this test does not know"
    assert seen == set(COMMANDS), "the pages do not show every command"


def test_overrides_in_the_prose_load() -> None:
    found = 0
    for page in PAGES:
        for written in re.findall(r"`([^`\n]*--set [^`\n]*)`", prose(page)):
            words = shlex.split(written)
            changes = [words[i + 1] for i, word in enumerate(words) if word == "--set"]
            if changes == ["PATH=VALUE"] or "..." in written:
                continue
            document = apply_overrides(load_document(CAMERA), parse_overrides(changes), expand_short)
            resolve(document, SCENARIOS)
            found += 1
    assert found > 15


def test_make_targets_in_the_prose_exist() -> None:
    named = re.findall(r"`make ([a-z-]+)`", "".join(map(prose, PAGES)))
    assert {"run", "test", "bench"} <= set(named) <= set(make_targets())


def test_switches_in_the_prose_exist() -> None:
    found = 0
    for page in PAGES:
        for written in re.findall(r"`(\w+: [^`\n]+)`", prose(page)):
            data = yaml.safe_load(written)
            if set(data) <= set(PolicyChange.model_fields):
                PolicyChange.model_validate(data)
                found += 1
    assert found > 10


def test_options_in_the_prose_exist() -> None:
    options = set()
    for action in build_parser()._subparsers._group_actions[0].choices.values():  # type: ignore[union-attr]
        options |= set(action._option_string_actions)
    for page in PAGES:
        for written in re.findall(r"`(?:eesim [a-z]+ )?(--[a-z-]+)", prose(page)):
            # The last two are options of the ARM-CO-UP runtime.
            assert written in options | {"--gpu_host", "--npu_host", "--gpu", "--npu"}, f"{page.name}: {written}"


def test_readme_shows_what_the_run_prints() -> None:
    """Every line of the shortened output is one of the real output."""
    out = io.StringIO()
    from eesim.report.tables import print_result

    print_result(eesim.run(eesim.load(CAMERA)), Console(file=out, width=100))
    real = {" ".join(line.split()) for line in out.getvalue().splitlines()}
    (shown,) = [block.text for block in of_language("text") if block.page.name == "README.md"]
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert len(lines) > 10
    assert [line for line in lines if line and line != "..." and line not in real] == []


def test_readme_says_which_commands_exist() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in COMMANDS:
        assert f"eesim {name}" in text, name
    for name in ("explore", "sweep", "import", "calibrate", "validate", "compare", "sensitivity"):
        assert name not in COMMANDS or not re.search(rf"`(eesim )?{name}`[^.]*on the way", text, re.DOTALL), name


# -- semantics.md --------------------------------------------------------------------------------------


def literals(annotation: Any) -> list[str]:
    """Fixed words in a type."""
    if get_origin(annotation) is Literal:
        return [str(word) for word in get_args(annotation)]
    return [word for part in get_args(annotation) for word in literals(part)]


def test_policy_switches_are_the_code_s() -> None:
    rows = {code(row[0])[0]: row for row in rows_after(SEMANTICS, "### Policy switches")[1:]}
    assert set(rows) == set(Policy.model_fields) - {"preset"}
    for name, row in rows.items():
        field = Policy.model_fields[name]
        parts = list(models_in(field.annotation))
        if parts:
            assert code(row[1]) == list(parts[0].model_fields), name
        else:
            assert code(row[1]) == literals(field.annotation) + [
                str(word) for extra in field.metadata for word in getattr(extra, "words", ())
            ], name
    for word in literals(Queue.model_fields["full"].annotation):
        assert word in code(rows["queue"][2]), word


def test_presets_are_the_code_s() -> None:
    heading, *rows = rows_after(SEMANTICS, "### Presets")
    names = [code(cell)[0] for cell in heading[1:]]
    assert names == list(PRESETS)
    policies = [resolve_policy(name) for name in names]
    listed = set()
    for row in rows:
        switch = code(row[0])[0]
        listed.add(switch)
        assert row[1:] == [getattr(policy, switch) for policy in policies], switch
    same = set(Policy.model_fields) - listed - {"preset"}
    for switch in same:
        assert {str(getattr(policy, switch)) for policy in policies} == {str(Policy.model_fields[switch].default)}
    text = SEMANTICS.read_text(encoding="utf-8")
    (sentence,) = re.findall(r"^All: (.*?)\. ", text, re.DOTALL | re.MULTILINE)
    assert same == {
        "frames_in_flight",
        "queue",
        "stage_queue",
        "dispatch",
        "abort_at",
        "adaptive",
        "reuse",
        "budget",
        "batching",
    }
    assert "`adaptive`, `reuse`, `budget` and `batching` off" in sentence
    assert "`frames_in_flight` and both queues unbounded" in sentence
    for switch in ("dispatch", "abort_at"):
        assert f"`{switch}: {Policy.model_fields[switch].default}`" in sentence
    for name in ("frames_in_flight", "queue", "stage_queue"):
        value = Policy.model_fields[name].default
        assert (value.capacity if isinstance(value, Queue) else value) == "unbounded"


def test_origin_tags_are_resolved() -> None:
    rules, _, origins = SEMANTICS.read_text(encoding="utf-8").partition("\n## Origins\n")
    tags = set(re.findall(r"\[(?:CO [0-9., ]+|EDGE25)\]", rules))
    listed = {row.split("|")[1].strip() for row in origins.splitlines() if row.startswith("| [")}
    assert tags
    assert tags == listed
    for page in PAGES:
        assert set(re.findall(r"\[CO [0-9., ]+\]", page.read_text(encoding="utf-8"))) <= listed, page.name


# -- file-formats.md -----------------------------------------------------------------------------------


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from models_in(part)


NOT_YET = {"explore"} - set(COMMANDS)
"""Sections of a scenario that belong to commands that do not exist yet: the pages are silent about them."""


def fields_of(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Fields of a model that the pages must describe."""
    return {key: field for key, field in model.model_fields.items() if model is not ScenarioSpec or key not in NOT_YET}


def reachable(*roots: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """All models that files of these kinds are made of."""
    found: dict[str, type[BaseModel]] = {}
    left = list(roots)
    while left:
        model = left.pop()
        if model.__name__ not in found:
            found[model.__name__] = model
            left += [inner for field in fields_of(model).values() for inner in models_in(field.annotation)]
    return found


MODELS = reachable(ScenarioSpec, Board, Network, Profile, StudySpec, PlausibleSpec)


def test_every_model_has_its_table() -> None:
    marks = set(re.findall(r"<!-- keys: ([A-Z]\w*) -->", FORMATS.read_text(encoding="utf-8")))
    assert marks == set(MODELS)
    assert len(MODELS) > 30


def written_default(value: Any) -> str | None:
    """How a table writes a default; None if that is up to the page."""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"`{value}`"
    if isinstance(value, str):
        return f"`{value}`" if value else "empty"
    return {"{}": "`{}`", "()": "`[]`"}.get(str(value))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_keys_are_the_model_s(name: str) -> None:
    fields = fields_of(MODELS[name])
    rows = rows_after(FORMATS, f"<!-- keys: {name} -->")
    assert rows[0][1:] == ["type", "default", "meaning"]
    assert [code(row[0])[0] for row in rows[1:]] == list(fields)
    for _, kind, default, _ in rows[1:]:
        assert kind
        assert default
    for (key, field), (_, kind, default, _) in zip(fields.items(), rows[1:], strict=True):
        assert (default == "required") == field.is_required(), f"{name}.{key}: {default}"
        expected = None if field.is_required() else written_default(field.default)
        assert expected in (None, default), f"{name}.{key}: {default}"
        if field.default is None and not field.is_required():
            assert default in ("none", "the preset's", "none declared"), f"{name}.{key}: {default}"
        for word in literals(field.annotation):
            assert word in code(kind), f"{name}.{key}: {word}"


PARSERS = {
    "time": units.parse_time_ns,
    "duration": units.parse_duration_ns,
    "frequency": units.parse_frequency_hz,
    "rate": units.parse_rate,
    "power": units.parse_power_uw,
    "voltage": units.parse_voltage_uv,
    "energy": units.parse_energy_nj,
    "size": units.parse_bytes,
    "share": units.parse_percent,
    "peak rate": units.parse_ops_per_second,
    "time per size": units.parse_ns_per_byte,
    "power per clock": units.parse_uw_per_mhz,
    "cycles": units.parse_cycles,
    "cycles per size": units.parse_cycles_per_byte,
}


def test_units_are_read_as_said() -> None:
    rows = rows_after(FORMATS, "### Units")[1:]
    assert [row[0] for row in rows] == list(PARSERS)
    for quantity, listed, example, _, most in rows:
        parse = PARSERS[quantity]
        parse(code(example)[0])
        limit = code(most)[0]
        parse(limit)
        number, _, unit = limit.partition(" ")
        with pytest.raises(units.UnitError):
            parse(f"{int(number) + 1} {unit}")
        if quantity not in ("time per size", "power per clock", "cycles per size"):
            known = getattr(units, f"_{quantity.removesuffix(' rate').upper().replace('SIZE', 'BYTES')}").units
            assert set(code(listed)) == set(known), quantity


def test_result_keys_are_described() -> None:
    summary = camera_result().to_dict()
    assert keys_after("Result.to_dict") == list(summary)
    assert keys_after("exits") == list(summary["exits"][0])
    assert keys_after("bounds") == list(summary["bounds"])
    assert keys_after("requirements") == list(summary["requirements"][0])
    assert keys_after("provenance") == list(summary["provenance"])
    two = eesim.run(eesim.load(SCENARIOS / "two_cameras.yaml", {"run.frames": 200, "run.replications": 2})).to_dict()
    assert list(two) == list(summary)
    assert keys_after("streams") == list(two["streams"][0])
    meanings = {code(row[0])[0]: code(row[2]) for row in rows_after(FORMATS, "<!-- keys: Result.to_dict -->")[1:]}
    for key in ("latency_ms", "parts_ms", "energy_mj_per_frame"):
        assert set(summary[key]) <= set(meanings[key]), key
    estimate = summary["latency_ms"]["mean"]
    assert "{" + ", ".join(f'"{key}"' for key in estimate) + "}" in FORMATS.read_text(encoding="utf-8")


def test_keys_of_a_threshold_search_are_described() -> None:
    told = eesim.thresholds(eesim.load(SCENARIOS / "digits_psoc6.yaml", {"run.frames": 50})).to_dict()
    assert keys_after("ThresholdSearch.to_dict") == list(told)
    rows = {code(row[0])[0]: code(row[1]) for row in rows_after(FORMATS, "<!-- keys: ThresholdSearch.to_dict -->")[1:]}
    for key in ("cost", "calibration", "baseline"):
        assert set(told[key]) <= set(rows[key]), key
    for key in ("thresholds", "exit_shares", "front"):
        assert set(told[key][0]) <= set(rows[key]), key


def test_columns_are_described() -> None:
    result = camera_result()
    assert keys_after("frames") == list(result.frames().columns)
    assert keys_after("tasks") == list(result.tasks().columns)


def test_a_sweep_is_described(tmp_path: Path) -> None:
    spent = Spent()
    found = Sweep(0, 0, 0, 0, 0, 0, 0.0, spent, 0.0, 0, tmp_path, tmp_path, tmp_path)
    assert keys_after("sweep") == list(found.to_dict())
    told = {code(row[0])[0]: code(row[1]) for row in rows_after(FORMATS, "<!-- keys: sweep -->")[1:]}
    assert told["spent"] == list(spent._fields)
    columns = [code(row[0])[0] for row in rows_after(FORMATS, "<!-- keys: sweep table -->")[1:] if code(row[0])]
    assert columns == ["point", *FACTS, "key"]


def test_event_kinds_are_described() -> None:
    found = {}
    for row in rows_after(FORMATS, "<!-- keys: events -->")[1:]:
        found |= {code(row[i])[0]: int(row[i + 1]) for i in (0, 3) if row[i]}
    assert found == {kind.name: int(kind) for kind in EventKind}


def test_json_of_other_commands_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    text = FORMATS.read_text(encoding="utf-8")
    assert main(["show", "scenario", str(CAMERA), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    rows = {code(row[0])[0]: code(row[1]) for row in rows_after(FORMATS, "<!-- keys: show scenario -->")[1:]}
    assert list(rows) == list(data)
    assert rows["mapping"] == list(data["mapping"])
    assert rows["tasks"] == list(data["tasks"][0])
    assert main(["check", str(CAMERA), "--set", "run.framse=1", "--json"]) == 2
    checked = json.loads(capsys.readouterr().out)
    for key in (*checked, *checked["problems"][0]):
        assert f"`{key}`" in text.partition("### Other commands")[2], key


def test_files_of_a_run_are_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    few = ["--set", "run.frames=50", "--set", "requirements={}", "--replications", "1"]
    assert main(["run", str(CAMERA), *few, "-o", str(tmp_path), "--tasks"]) == 0
    written = {path.name for path in tmp_path.iterdir()}
    rows = rows_after(FORMATS, "| option of `eesim run` | file | what |", inside=True)
    told = {name.removeprefix("DIR/") for row in rows for name in code(row[1])}
    assert {"summary.json", "frames.parquet", "tasks.parquet", "timeline.png"} <= written
    for name in written:
        stem, _, suffix = name.rpartition(".")
        assert name in told or (suffix in ("png", "svg") and told & {stem, f"{stem}.png"}), name


# -- what-if.md ----------------------------------------------------------------------------------------


def assert_printed(mark: str, out: str) -> None:
    """Every line of a block of output on the page is one of the real output."""
    (block,) = [block for block in blocks() if block.page == WHAT_IF and (block.language, block.mark) == ("text", mark)]
    real = {" ".join(line.split()) for line in out.splitlines()}
    lines = [" ".join(line.split()) for line in block.text.splitlines()]
    assert len(lines) > 5
    assert [line for line in lines if line and line != "..." and line not in real] == []


def typed(page: Path, begin: str) -> list[str]:
    """Words of the first command line of a page that begins like this."""
    line = next(line for block, line in shell_lines() if block.page == page and line.startswith(begin))
    return shlex.split(line)[1:]


def test_comparison_that_is_shown_is_real(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    assert main(typed(WHAT_IF, "eesim compare")) == 0
    assert_printed("compare", capsys.readouterr().out)


def test_sensitivity_that_is_shown_is_real(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    assert main(typed(WHAT_IF, "eesim sensitivity scenarios/ee_resnet18_camera.yaml --range")) == 0
    assert_printed("sensitivity", capsys.readouterr().out)


@pytest.mark.slow
def test_candidates_that_are_shown_are_real(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(typed(WHAT_IF, "eesim sensitivity scenarios/studies")) == 0
    assert_printed("candidates", capsys.readouterr().out)


def test_keys_of_comparisons_and_sensitivities_are_described() -> None:
    few = {"run.frames": 100, "run.replications": 2}
    base = eesim.load(CAMERA, few)
    comparison = eesim.compare(base, eesim.load(CAMERA, {**few, "board.pes.G.host": "L"})).to_dict()
    shown = [key for row in rows_after(WHAT_IF, "<!-- keys: Comparison.to_dict -->")[1:] for key in code(row[0])]
    assert shown == list(comparison)
    (variant,) = comparison["variants"]
    found = eesim.sensitivity(base, {"profile.times.b1.B": "±10 %"}).to_dict()
    ranking = eesim.rank_candidates(
        base, ["BGLGLGL", "GGGGGGG"], str(SCENARIOS / "studies" / "plausible_ee_resnet18.yaml"), boards=2
    ).to_dict()
    for mark, data in (
        ("Variant.as_dict", variant),
        ("MetricDifference.as_dict", variant["metrics"]["latency_ms.mean"]),
        ("Sensitivity.to_dict", found),
        ("Parameter.as_dict", found["parameters"][0]),
        ("Ranking.to_dict", ranking),
        ("Candidate.as_dict", ranking["candidates"][0]),
    ):
        rows = rows_after(WHAT_IF, f"<!-- keys: {mark} -->")[1:]
        assert [key for row in rows for key in code(row[0])] == list(data), mark


# -- board-model.md ------------------------------------------------------------------------------------


def plain(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def number_of(quantity: str) -> float:
    return float(str(quantity).split()[0])


def test_block_table_is_the_profile_s() -> None:
    times = plain(BOARD / "profiles" / "ee_resnet18.yaml")["times"]
    heading, *rows = rows_after(BOARD_MODEL, "## The block table of EE-ResNet18")
    assert heading[1:] == list(times)
    for pe, *cells in rows:
        assert [float(cell) for cell in cells] == [number_of(times[segment][pe]) for segment in times]


def test_board_tables_are_the_board_s() -> None:
    board = plain(BOARD / "board.yaml")
    pes, routes = board["pes"], board["transfers"]["routes"]
    for row in rows_after(BOARD_MODEL, "## Delay of a clock change")[1:]:
        told = [float(re.findall(r"[0-9.]+", cell)[0]) for cell in row[1:4]]
        assert told == [number_of(pes[row[0]]["dvfs"][key]) for key in ("up", "down", "same_voltage")], row[0]
    by_name = {"to N": "B->N", "from N": "N->B"}
    for row in rows_after(BOARD_MODEL, "## Transfers\n")[1:]:
        for name in row[0].split(", "):
            route = routes[by_name.get(name, name)]
            clock = route["clock"]
            told = [number_of(cell) for cell in row[1:5]]
            said = [number_of(route["fixed"]), number_of(route["per_byte"]), clock["offset"], clock["slope"]]
            assert told == said, name
            assert row[5] == clock["pe"], name
    power = {row[0][0]: row[1].split() for row in rows_after(BOARD_MODEL, "## Power and energy")[1:]}
    assert power["b"] == [f"{number_of(board['base_power']['value']):g}"]
    for pe in "BLG":
        assert power[pe] == [f"{number_of(opp['active_power']):g}" for opp in pes[pe]["opps"]["table"]], pe
    sources = {row[0] for row in rows_after(BOARD_MODEL, "## Sources")[1:]}
    assert set(board["sources"]) <= sources


def test_answers_with_and_without_transfers_are_the_tool_s() -> None:
    rows = {row[0]: row[1:] for row in rows_after(BOARD_MODEL, "### What the answer is with and without transfers")}
    for label, order in (("BGLGLGL", "BGLGLGL"), ("all G", "GGGGGGG"), ("all B", "BBBBBBB"), ("all L", "LLLLLLL")):
        for transfers, cell in zip((False, True), rows[label][:2], strict=True):
            changes = {
                "mapping.segments": order,
                "physics.transfers": transfers,
                "stream.arrivals": {"kind": "periodic", "rate": "2 Hz"},
                "run": {"frames": 10_000, "replications": 1, "warmup": "none"},
            }
            result = eesim.run(eesim.load(CAMERA, changes))
            found = f"{result.value('latency_ms.mean'):.2f} / {result.value('latency_ms.max'):.2f}"
            assert found == cell, f"{label}, transfers {transfers}"


# -- links and paths -----------------------------------------------------------------------------------


def anchors(page: Path) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them."""
    found = set()
    for title in re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", title)
        found.add(re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-"))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_relative_links_resolve(page: Path) -> None:
    links = re.findall(r"\[[^]]*\]\(([^)\s]+)\)", prose(page))
    assert links
    for link in links:
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (page.parent / name) if name else page
        assert target.exists(), link
        if anchor:
            assert anchor in anchors(target), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_paths_of_a_developer_s_machine(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    local = r"(?<![\w.:/])/(?:home|root|work|Users|tmp|mnt|opt|var)\b|[A-Z]:\\\\|\.\./shared|file://"
    assert re.findall(local, text) == []


def test_picture_is_small() -> None:
    assert (ROOT / "docs" / "images" / "camera_timeline.png").stat().st_size < 300_000


def test_scenario_that_the_pages_quote_is_the_shipped_one() -> None:
    scenario: Scenario = eesim.load(CAMERA)
    assert scenario.mapping.order == "BGLGLGL"
    assert Document.of(dict(scenario.documents["scenario"])).data["policy"] == "cooperative"
