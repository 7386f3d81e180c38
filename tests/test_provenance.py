"""Hashes of inputs: equal data, equal text, whatever their order."""

from __future__ import annotations

import hashlib

import pytest

from eesim.provenance import PACKAGES, canonical, digest, package_version


def test_equal_data_give_equal_text() -> None:
    assert canonical({"b": [1, 2.5, None], "a": "é"}) == canonical({"a": "é", "b": [1, 2.5, None]})
    assert canonical({"b": [1, True], "a": "é"}) == '{"a":"é","b":[1,true]}'


def test_other_data_give_other_text() -> None:
    texts = {canonical(data) for data in ({"a": 1}, {"a": 1.5}, {"a": "1"}, {"a": True}, {"a": [1]}, {"b": 1}, {})}
    assert len(texts) == 7


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": float("nan")})


def test_the_digest_is_sha256_of_the_text() -> None:
    assert digest({"a": 1}) == hashlib.sha256(b'{"a":1}').hexdigest()


def test_versions_are_those_of_what_is_installed() -> None:
    assert all(package_version(name)[0].isdigit() for name in PACKAGES)
    assert package_version("no-such-package") == "unknown"
