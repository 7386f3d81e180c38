"""The state of a search on disk."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eesim.errors import InputError
from eesim.explore.journal import STATE, forget, load_state, save_state

CONTENT = {
    "count": np.int64(3),
    "share": np.float64(0.1),
    "big": 2**200,
    "rng": {"state": {"state": 2**127 - 1, "inc": 5}},
    "rows": np.arange(6).reshape(2, 3),
    "values": np.array([np.nan, np.inf, 0.1]),
    "none": np.zeros((0, 4)),
}


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    save_state(tmp_path / "new", "me", CONTENT)
    back = load_state(tmp_path / "new", "me")
    assert back is not None
    assert (back["count"], back["share"], back["big"], back["rng"]) == (3, 0.1, 2**200, CONTENT["rng"])
    for key in ("rows", "values", "none"):
        np.testing.assert_array_equal(back[key], CONTENT[key])
        assert back[key].dtype == CONTENT[key].dtype


def test_nothing_saved_is_nothing_to_load(tmp_path: Path) -> None:
    assert load_state(tmp_path, "me") is None
    assert load_state(tmp_path / "missing", "me") is None


def test_another_explorations_state_is_refused(tmp_path: Path) -> None:
    save_state(tmp_path, "me", CONTENT)
    with pytest.raises(InputError, match="another exploration"):
        load_state(tmp_path, "you")
    assert load_state(tmp_path, "me") is not None


@pytest.mark.parametrize("keep", [0, 1, 10, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_state_is_refused(tmp_path: Path, keep: float) -> None:
    save_state(tmp_path, "me", CONTENT)
    path = tmp_path / STATE
    content = path.read_bytes()
    path.write_bytes(content[: keep if isinstance(keep, int) else int(keep * len(content))])
    with pytest.raises(InputError, match="cannot be read"):
        load_state(tmp_path, "me")


def test_any_flipped_byte_is_noticed_or_harmless(tmp_path: Path) -> None:
    save_state(tmp_path, "me", CONTENT)
    path = tmp_path / STATE
    content = path.read_bytes()
    refused = 0
    for at in range(len(content)):
        path.write_bytes(content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :])
        try:
            back = load_state(tmp_path, "me")
        except InputError:
            refused += 1
            continue
        assert back is not None
        for key, value in CONTENT.items():
            assert key not in back or np.array_equal(back[key], value, equal_nan=key == "values"), (at, key)
    assert refused > len(content) / 4


@pytest.mark.parametrize("members", [{}, {"identity": "me"}, {"identity": "me", "plain.json": "{"}])
def test_an_archive_of_something_else_is_refused(tmp_path: Path, members: dict[str, str]) -> None:
    with zipfile.ZipFile(tmp_path / STATE, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    with pytest.raises(InputError):
        load_state(tmp_path, "me")


def test_a_save_that_fails_leaves_the_last_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_state(tmp_path, "me", {"count": 1})
    broken: dict[str, Any] = {"count": 2, "bad": object()}
    with pytest.raises(TypeError):
        save_state(tmp_path, "me", broken)
    assert load_state(tmp_path, "me") == {"count": 1}

    def fail(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("numpy.save", fail)
    with pytest.raises(OSError, match="disk full"):
        save_state(tmp_path, "me", {"rows": np.arange(3)})
    assert load_state(tmp_path, "me") == {"count": 1}


def test_a_save_replaces_the_last_state_and_leaves_nothing_else(tmp_path: Path) -> None:
    for count in range(3):
        save_state(tmp_path, "me", {"count": count})
    assert load_state(tmp_path, "me") == {"count": 2}
    assert [path.name for path in tmp_path.iterdir()] == [STATE]


def test_forgetting_removes_it(tmp_path: Path) -> None:
    save_state(tmp_path, "me", {"count": 1})
    (tmp_path / "best.yaml").write_text(json.dumps({}))
    forget(tmp_path)
    forget(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["best.yaml"]
