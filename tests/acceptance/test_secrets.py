"""A password never comes back out: not from messages, settings, reports or the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from membatch.config import hide_password

from .command import lines, membatch

URLS = {
    "postgresql://me:s3cret@host/db": "postgresql://me:***@host/db",
    "postgresql://me:s3cret@host:5432/db?sslmode=require": "postgresql://me:***@host:5432/db?sslmode=require",
    "postgresql://me:p@s3cret/x@host/db": "postgresql://me:***@host/db",
    "postgresql://:s3cret@host/db": "postgresql://:***@host/db",
    "postgresql://host/db?user=me&password=s3cret&a=b": "postgresql://host/db?user=me&password=***&a=b",
    "postgresql://host/db?Token=s3cret": "postgresql://host/db?Token=***",
    "sqlite:///folder/a:b@c.db": "sqlite:///folder/a:b@c.db",
}


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_shown_without_its_password(url: str) -> None:
    assert hide_password(url) == URLS[url]


@pytest.mark.parametrize("url", [url for url in URLS if "s3cret" in url])
def test_no_command_repeats_a_password(url: str, tmp_path: Path) -> None:
    lines(tmp_path / "in.jsonl", {"summary": "a"})
    (tmp_path / "membatch.toml").write_text(f'store = "{url}"\n')
    commands = (
        ("run", url),
        ("run", "in.jsonl"),
        ("run", "in.jsonl", "--store", url),
        ("config",),
        ("report", "--store", url),
        ("resume",),
        ("check",),
        ("runs", "--json"),
    )
    for command in commands:
        result = membatch(*command, folder=tmp_path)
        assert b"s3cret" not in result.stdout + result.stderr, command
        assert b"Traceback" not in result.stderr
        assert result.returncode in (0, 2, 4)
