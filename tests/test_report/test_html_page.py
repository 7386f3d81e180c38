"""Pages of results: what is on them, what is missing, that nothing breaks out; the command as typed."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

import eesim
from eesim.cli.main import COMMANDS, main
from eesim.errors import InputError
from eesim.report.html.folder import Folder
from eesim.report.html.kinds import KINDS
from eesim.report.html.page import read, render, report_html
from eesim.report.save import save_result
from eesim.report.save_page import page_data
from tests.scenarios import CAMERA
from tests.test_cli.commands import eesim as run_eesim
from tests.test_report import html_folders
from tests.test_report.html_check import Page, check
from tests.test_report.runs import all_dropped, blocking, camera

FEW = ["--set", "run.frames=200", "--set", "run.replications=2", "--no-plots"]

SECTIONS = {
    "run": ["In short", "Requirements", "Latency by exit", "Timeline", "Utilisation", "Energy", "Notes"],
    "comparison": ["In short", "Requirements", "Inputs that differ", "Differences", "Replications", "Notes"],
    "sensitivity": ["In short", "Tornado", "Effects", "Sobol's indices", "Inputs without effect"],
    "candidates": ["Ranking", "What decides"],
    "exploration": ["In short", "Best design", "Search", "Confirmation", "Best design as a scenario"],
    "front": ["In short", "Pareto front", "Confirmation", "Best design as a scenario"],
    "sweep": ["In short", "Curves", "Points", "Failures"],
    "validation": [
        "In short", "Scores", "Parity", "Error by physical term", "Decisions", "Outside of the measurements",
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("results")
    made = {"run": root / "run", **html_folders.all_folders(root)}
    save_result(camera(), made["run"], figures=False)
    return made


def page_of(folder: Path) -> Page:
    return check(render(read(Folder(folder))))


@pytest.mark.parametrize("name", SECTIONS)
def test_every_kind_has_its_sections(name: str, folders: dict[str, Path]) -> None:
    made = read(Folder(folders[name]))
    page = check(render(made))
    assert page.titles() == [*SECTIONS[name], "Provenance", "Not shown"]
    assert [kind.name for kind in made.kinds] == [{"front": "exploration"}.get(name, name)]
    # Nothing but the command as typed, which is the command line's to write.
    assert made.missing == ("command.json: the command as it was typed",)
    assert page.all("h1")[0].text == page.all("title")[0].text != ""


@pytest.mark.parametrize("name", SECTIONS)
def test_the_same_folder_gives_the_same_bytes(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    first, second = (report_html(folders[name], tmp_path / f"{i}.html").path.read_bytes() for i in range(2))
    assert first == second


def test_bytes_do_not_depend_on_hashes(folders: dict[str, Path], tmp_path: Path) -> None:
    pages = []
    for seed in "12":
        done = run_eesim("report", folders["run"], "-o", tmp_path / f"{seed}.html", env={"PYTHONHASHSEED": seed})
        assert done.status == 0, done.err
        pages.append((tmp_path / f"{seed}.html").read_bytes())
    assert pages[0] == pages[1]


# -- what is on the page of a run ----------------------------------------------------------------------


def test_headline_is_the_summary_s(folders: dict[str, Path]) -> None:
    page = page_of(folders["run"])
    summary = json.loads((folders["run"] / "summary.json").read_text())
    rows = {row[0]: row[1:] for row in page.section("In short").all("table")[0].rows()}
    assert rows["metric"] == ["value", "95 % interval"]
    assert float(rows["p99 latency"][0].split()[0]) == pytest.approx(summary["latency_ms"]["p99"]["value"], rel=1e-3)
    assert float(rows["throughput"][0].split()[0]) == pytest.approx(summary["throughput_fps"], rel=1e-3)
    total = summary["energy_mj_per_frame"]["total"]
    assert float(rows["energy per answered frame"][0].split()[0]) == pytest.approx(total, rel=1e-2)
    terms = {row[0]: row[-1] for row in page.section("Energy").all("table")[0].rows()[1:]}
    assert terms["total"] == "100 %"
    assert sum(float(share.split()[0]) for term, share in terms.items() if term != "total") == pytest.approx(
        100, abs=0.5
    )


def test_requirements_are_judged(tmp_path: Path) -> None:
    save_result(camera({"requirements": {"p99_latency": "20 ms", "throughput": "20 Hz"}}), tmp_path, figures=False)
    page = page_of(tmp_path)
    assert [one.text for one in page.all("p", "bad")] == ["Requirements not met: p99 latency."]
    rows = page.section("Requirements").all("table")[0].rows()
    assert [row[:2] for row in rows[1:]] == [["p99 latency", "NOT MET"], ["throughput", "met"]]
    assert rows[1][3] == "≤ 20 ms"


def test_met_requirements_are_said(folders: dict[str, Path]) -> None:
    assert [one.text for one in page_of(folders["run"]).all("p", "good")] == ["All requirements are met."]


def test_a_run_without_answers_has_a_page(tmp_path: Path) -> None:
    save_result(all_dropped(), tmp_path, figures=False)
    made = read(Folder(tmp_path))
    page = check(render(made))
    assert made.missing == ("command.json: the command as it was typed",)
    assert "No frame was answered." in [one.text for one in page.section("Latency by exit").all("p")]
    assert "Energy" not in page.titles()


def test_blocked_servers_are_shown(tmp_path: Path) -> None:
    save_result(blocking(tmp_path / "world"), tmp_path / "result", figures=False)
    page = page_of(tmp_path / "result")
    assert "blocked" in page.section("Utilisation").all("table")[0].rows()[0]
    assert [one for one in page.section("Timeline").all("rect") if one.attributes.get("fill") == "url(#blocked)"]


def test_streams_have_their_table(tmp_path: Path) -> None:
    two = eesim.run(
        eesim.load(CAMERA.with_name("two_cameras.yaml"), {"run.frames": 200}), log_frames=30, keep_frames=True
    )
    save_result(two, tmp_path, figures=False)
    page = page_of(tmp_path)
    assert [row[0] for row in page.section("Streams").all("table")[0].rows()[1:]] == ["front", "rear"]
    legend = " ".join(one.text for one in page.section("Latency by exit").all("li"))
    assert "front/exit1" in legend
    assert "rear/exit1" in legend


# -- parts that are missing ----------------------------------------------------------------------------


def test_without_frames_the_page_says_so(folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(folders["run"], folder)
    (folder / "frames.parquet").unlink()
    made = report_html(folder)
    assert made.path == folder / "report.html"
    assert [text.partition(":")[0] for text in made.missing] == ["frames.parquet", "command.json"]
    page = check(made.path.read_text(encoding="utf-8"))
    assert [one.text for one in page.section("Not shown").all("li")] == list(made.missing)
    assert page.section("Latency by exit").all("table")


@pytest.mark.parametrize("name", SECTIONS)
def test_every_file_alone_is_enough_for_a_page(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    whole = read(Folder(folders[name]))
    for file in whole.kinds[0].files:
        if file in ("best.yaml", "replications.csv"):
            # They say nothing by themselves.
            continue
        alone = tmp_path / file
        alone.mkdir()
        shutil.copy(folders[name] / file, alone)
        made = read(Folder(alone))
        check(render(made))
        assert [kind.name for kind in made.kinds] == [whole.kinds[0].name], file
        told = [text.partition(":")[0] for text in made.missing]
        assert told == [other for other in whole.kinds[0].files if other != file] + ["command.json"], file


def test_files_of_another_version_are_no_crash(tmp_path: Path) -> None:
    html_folders.write_json(tmp_path, "summary.json", {"latency_ms": {"mean": 3}, "requirements": [{}]})
    made = read(Folder(tmp_path))
    check(render(made))
    told = [text for text in made.missing if "not as this version writes them" in text]
    assert len(told) >= 3
    assert "KeyError" in told[0]


def test_a_folder_without_results_is_an_error(tmp_path: Path, folders: dict[str, Path]) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(InputError) as caught:
        report_html(tmp_path)
    assert "holds no result" in str(caught.value)
    for word in ("run (summary.json", "comparison (comparison.json", "sweep (study.json", "validation"):
        assert word in str(caught.value)
    assert "did you mean" not in str(caught.value)
    shutil.copytree(folders["sweep"], tmp_path / "inner")
    with pytest.raises(InputError, match=r"did you mean .*inner\?"):
        report_html(tmp_path)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("summary.json", b'{"latency_ms":\n\n oops}', r"summary\.json:3: is damaged: Expecting value"),
        ("summary.json", b"[1]", r"summary\.json:1: is not a result"),
        ("summary.json", b"\xff\xfe", r"summary\.json: cannot be read"),
        ("frames.parquet", b"PAR1 and no more", r"frames\.parquet: cannot be read"),
        ("command.json", b"{", r"command\.json:1: is damaged"),
    ],
)
def test_damaged_files_are_errors(
    file: str, content: bytes, said: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    shutil.copytree(folders["run"], folder)
    (folder / file).write_bytes(content)
    with pytest.raises(InputError, match=said):
        report_html(folder)
    assert not list(folder.glob("*.html"))
    assert not list(folder.glob(".*"))


def test_a_folder_of_two_kinds_has_both(folders: dict[str, Path], tmp_path: Path) -> None:
    for name in ("run", "exploration"):
        shutil.copytree(folders[name], tmp_path / "both", dirs_exist_ok=True)
    made = report_html(tmp_path / "both")
    assert made.kinds == ("run", "exploration")
    check(made.path.read_text(encoding="utf-8"))


# -- nothing breaks out --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SECTIONS)
def test_markup_in_names_stays_text(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "hostile"
    shutil.copytree(folders[name], folder)
    plain = {one.tag for one in page_of(folder).everything()}
    for file in folder.glob("*.json"):
        data = html_folders.hostile(json.loads(file.read_text(encoding="utf-8")))
        file.write_text(json.dumps(data), encoding="utf-8")
    if name == "sweep":
        html_folders.sweep_folder(folder, title=html_folders.HOSTILE)
    page = page_of(folder)
    assert {one.tag for one in page.everything()} <= plain
    assert "hostile()" in page.root.text
    assert "hostile()" not in page.all("script")[0].text
    assert not page.all("img")


def test_the_script_s_hash_is_the_policy_s(folders: dict[str, Path]) -> None:
    import base64
    import hashlib

    page = page_of(folders["run"])
    (policy,) = [one.attributes["content"] for one in page.all("meta") if one.attributes.get("http-equiv")]
    digest = base64.b64encode(hashlib.sha256(page.all("script")[0].text.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in str(policy)
    assert "default-src 'none'" in str(policy)


# -- the command as typed ------------------------------------------------------------------------------


def typed(folder: Path, *words: str) -> Page:
    assert main([*words, "-o", str(folder)]) in (0, 1)
    assert main(["report", str(folder)]) == 0
    return check((folder / "report.html").read_text(encoding="utf-8"))


def test_the_page_says_the_exact_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = typed(tmp_path / "a folder", "run", str(CAMERA), *FEW, "--set", "stream.arrivals.rate=29 Hz")
    out = capsys.readouterr()
    assert f"wrote {tmp_path / 'a folder' / 'report.html'}: run" in out.out
    assert "not shown" not in out.err
    assert "Not shown" not in page.titles()
    (code,) = page.section("Provenance").all("code")
    import shlex

    words = shlex.split(code.text)
    assert words[:3] == ["eesim", "run", str(CAMERA)]
    assert words[-4:] == ["--set", "stream.arrivals.rate=29 Hz", "-o", str(tmp_path / "a folder")]
    # It is the command: run again, it gives the same summary.
    before = (tmp_path / "a folder" / "summary.json").read_bytes()
    assert main(words[1:]) in (0, 1)
    assert (tmp_path / "a folder" / "summary.json").read_bytes() == before


def test_commands_that_write_no_results_leave_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(CAMERA), *FEW]) == 0
    assert main(["run", str(CAMERA), "--set", "run.framse=1", "-o", str(tmp_path / "bad")]) == 2
    assert not (tmp_path / "bad").exists()
    (tmp_path / "report").mkdir()
    html_folders.comparison_folder(tmp_path / "report")
    assert main(["report", str(tmp_path / "report")]) == 0
    assert not (tmp_path / "report" / "command.json").exists()
    capsys.readouterr()


def test_without_the_command_the_provenance_helps(folders: dict[str, Path]) -> None:
    section = page_of(folders["run"]).section("Provenance")
    assert "may have been given" in section.all("p")[0].text
    assert re.fullmatch(r"eesim run .*ee_resnet18_camera\.yaml'? --seed 1 -o run", section.all("code")[0].text)


def test_json_says_where_the_page_is(
    folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(folders["front"]), "-o", str(tmp_path / "front.html"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {
        "path": str(tmp_path / "front.html"),
        "kinds": ["exploration"],
        "missing": ["command.json: the command as it was typed"],
    }
    assert (tmp_path / "front.html").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{root}/nowhere"], "no such folder"),
        (["{root}/file.txt"], "takes the folder that it lies in"),
        (["{root}/empty"], "holds no result"),
        (["{run}", "-o", "{root}/empty"], "is a directory; name the file (did you mean {root}/empty/report.html?)"),
        (["{run}", "-o", "{root}/nowhere/a.html"], "its directory does not exist"),
    ],
)
def test_wrong_input_is_told(
    words: list[str], said: str, folders: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.txt").write_text("text")
    names = {"root": tmp_path, "run": folders["run"]}
    before = sorted(tmp_path.rglob("*"))
    assert main(["report", *(word.format(**names) for word in words)]) == 2
    out = capsys.readouterr()
    assert out.out == ""
    assert said.format(**names) in out.err
    assert sorted(tmp_path.rglob("*")) == before


STUDY = {
    "eesim": 1,
    "scenario": "ee_resnet18_camera",
    "set": {"run.frames": 200, "run.replications": 1},
    "design": {"kind": "grid", "axes": {"stream.arrivals.rate": ["10 Hz", "20 Hz", "30 Hz"]}},
}

TYPED: dict[str, tuple[str, list[str]]] = {
    "compare": ("comparison", ["{camera}", "--against", "mapping.segments=BGBBLBL", *FEW]),
    "sensitivity": (
        "sensitivity", ["{camera}", "--range", "profile.times.b1.B=+-10%", "--frames", "100", "--replications", "2"],
    ),
    "explore": ("exploration", ["{explore}", "--no-plots"]),
    "sweep": ("sweep", ["{study}", "--workers", "1"]),
}  # fmt: skip


@pytest.mark.parametrize("command", TYPED)
def test_what_the_commands_write_is_what_is_read(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if command not in COMMANDS:
        pytest.skip(f"there is no `eesim {command}` here")
    (tmp_path / "study.yaml").write_text(json.dumps(STUDY))
    changes: dict[str, Any] = {"segments": ["B", "G"], "objective": ["mean_latency", "energy"], "evaluations": 40}
    scenario = {
        "eesim": 1, "board": "rk3399pro", "network": "ee_resnet18", "mapping": {"segments": "BGLGLGL"},
        "stream": {
            "arrivals": {"kind": "periodic", "rate": "30 Hz"},
            "exits": {"kind": "counts", "counts": [8222, 1015, 294, 469]},
        },
        "run": {"frames": 200, "replications": 1}, "explore": {**changes, "algorithm": "nsga2"},
    }  # fmt: skip
    (tmp_path / "explore.yaml").write_text(json.dumps(scenario))
    names = {"camera": CAMERA, "study": tmp_path / "study.yaml", "explore": tmp_path / "explore.yaml"}
    kind, words = TYPED[command]
    page = typed(tmp_path / "out", command, *(word.format(**names) for word in words))
    capsys.readouterr()
    assert page.all("p", "kinds")[0].text == f"eesim: {kind}"
    assert "Not shown" not in page.titles()
    assert len(page.all("svg", "chart")) >= 1


# -- docs/reports.md -----------------------------------------------------------------------------------


def described(mark: str) -> dict[str, str]:
    """Rows of a table of keys: each key with its row."""
    text = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    table = text.partition(f"<!-- keys: {mark} -->\n")[2].partition("\n\n")[0].splitlines()[2:]
    return {key: row for row in table for key in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_report_json_is_described() -> None:
    data = page_data(camera())
    rows = described("report.json")
    assert list(rows) == list(data)
    assert set(re.findall(r"`(\w+)`", rows["streams"])) == {"streams", *data["streams"][0]}
    told = described("timeline")
    assert list(told) == list(data["timeline"])
    for name in ("frames", "episodes"):
        assert set(data["timeline"][name]) <= set(re.findall(r"`(\w+)`", told[name])), name
    assert set(re.findall(r"`(\w+)`", described("timeline")["blocked"])) == {"blocked", "server", "start_ns", "end_ns"}


def test_every_file_of_every_kind_is_described() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    rows = [row for row in text.splitlines() if row.startswith("| `eesim ")]
    for kind in KINDS:
        command = " ".join(kind.command.split()[:2])
        (row,) = [one for one in rows if one.startswith(f"| `{command} -o`")]
        for file in kind.files:
            assert f"`{file}`" in row, (kind.name, file)
