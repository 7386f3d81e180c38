"""``init`` and ``completion``: the first things that a newcomer types."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from eesim.cli.main import COMMANDS
from eesim.scenario.library import known_networks
from eesim.scenario.load import load
from tests.scenarios import PAIR, board_data, everywhere, network_data, scenario_data, write_world
from tests.test_cli.commands import FEW, Capture, eesim, here


@pytest.mark.parametrize("network", known_networks(Path()))
def test_a_starter_of_every_shipped_network_runs_as_it_is(capsys: Capture, network: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    done = here(capsys, "init", file, "--network", network)
    assert (done.status, done.err) == (0, "")
    assert str(file) in done.out
    assert load(file).network.name == network
    ran = here(capsys, "run", file, *FEW, "--json")
    assert ran.status == 0, ran.err
    assert ran.json()["drop_rate"] == 0


def test_a_starter_of_one_s_own_board(tmp_path: Path) -> None:
    board = board_data()
    scenario = write_world(
        tmp_path, board, network_data(*PAIR), everywhere(board, {"b1": 1, "e1": 1, "b2": 1}), scenario_data("BGL")
    )
    named = json.loads(scenario.read_text())
    file = scenario.parent / "mine.yaml"
    done = eesim("init", file, "--board", named["board"], "--network", named["network"])
    assert done.status == 0, done.err
    assert load(file).network.segment_names == ("b1", "e1", "b2")


def test_nothing_is_replaced_unless_asked(capsys: Capture, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("precious")
    refused = here(capsys, "init", file)
    assert refused.status == 2
    assert "--force" in refused.err
    assert file.read_text() == "precious"
    assert here(capsys, "init", file, "--force").status == 0
    assert "mapping:" in file.read_text()


def test_names_that_do_not_exist(capsys: Capture, tmp_path: Path) -> None:
    done = here(capsys, "init", tmp_path / "mine.yaml", "--board", "rk3399")
    assert done.status == 2
    assert "did you mean rk3399pro" in done.err
    done = here(capsys, "init", tmp_path / "mine.yaml", "--network", "ee_resnet81")
    assert done.status == 2
    assert "did you mean ee_resnet18" in done.err
    assert here(capsys, "init", tmp_path / "nowhere" / "mine.yaml").status == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_completion_knows_every_command(capsys: Capture, shell: str) -> None:
    done = here(capsys, "completion", shell)
    assert (done.status, done.err) == (0, "")
    for name in COMMANDS:
        assert name in done.out


def test_bash_completes_commands_options_and_takes_the_script(capsys: Capture, tmp_path: Path) -> None:
    script = tmp_path / "eesim.bash"
    script.write_text(here(capsys, "completion", "bash").out)
    ask = f"""
    source {script}
    COMP_WORDS=(eesim {{}}); COMP_CWORD={{}}; COMPREPLY=()
    "$(complete -p eesim | sed 's/.*-F \\([^ ]*\\).*/\\1/')" eesim "${{COMP_WORDS[$COMP_CWORD]}}"
    printf '%s\\n' "${{COMPREPLY[@]}}"
    """.replace("{{", "{").replace("}}", "}")

    def complete(*words: str) -> set[str]:
        text = ask.replace("{}", " ".join(words), 1).replace("{}", str(len(words)), 1)
        done = subprocess.run(["bash", "-c", text], capture_output=True, text=True, cwd=tmp_path, check=True)
        return set(done.stdout.split())

    assert {"run", "explore", "init"} <= complete("''")
    assert complete("ex") == {"explore"}
    assert complete("run", "--repl") == {"--replications"}
    (tmp_path / "camera.yaml").touch()
    assert "camera.yaml" in complete("run", "cam")
