"""What the documentation shows works, its generated parts are up to date, and the site builds without a warning."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import membatch

ROOT = Path(__file__).parent.parent
PAGES = ["README.md", *sorted(str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md"))]
PAGES.remove("docs/formats-intro.md")  # the beginning of docs/formats.md


def text_of(page: str) -> str:
    return (ROOT / page).read_text("utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if "```console\n" in text_of(page)])
def test_every_session_runs_and_prints_what_the_page_shows(page: str) -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "sessions.py"), str(ROOT / page)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}\nif that is right: python docs/sessions.py --write {page}"


@pytest.mark.parametrize("page", [page for page in PAGES if "```python\n" in text_of(page)])
def test_every_python_example_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    names: dict[str, object] = {}
    for example in re.findall(r"^```python\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE):
        exec(compile(example, page, "exec"), names)


def test_no_command_is_shown_that_no_test_runs() -> None:
    for page in PAGES:
        if page == "docs/commands.md":  # its examples are those of --help, which tests/acceptance/test_help.py parses
            continue
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```", text_of(page), re.DOTALL | re.MULTILINE):
            if language != "console":
                assert not re.search(r"^(\$ )?membatch ", block, re.MULTILINE), f"{page}: {block}"


def test_generated_pages_are_up_to_date() -> None:
    check = subprocess.run([sys.executable, ROOT / "docs" / "generate.py", "--check"], check=False)
    assert check.returncode == 0, "run python docs/generate.py"


@pytest.mark.parametrize("page", [*PAGES, "CONTRIBUTING.md"])
def test_every_link_between_pages_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(page)):
        if not target.startswith("http"):
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_every_public_name_has_its_place_in_the_reference() -> None:
    documented = set(re.findall(r"^\.\. auto\w+:: (\w+)", text_of("docs/api.md"), re.MULTILINE))
    assert documented == set(membatch.__all__) - {"__version__"}


def test_every_public_function_and_class_says_what_it_is() -> None:
    for name in documented_names():
        assert (getattr(membatch, name).__doc__ or "").strip(), name


def documented_names() -> list[str]:
    return [name for name in membatch.__all__ if name != "__version__"]


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "-q", "-d", str(tmp_path / "trees")]
    done = subprocess.run(
        [*command, "-b", "html", str(ROOT / "docs"), str(tmp_path / "site")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    pages = {str(page.relative_to(ROOT / "docs").with_suffix(".html")) for page in (ROOT / "docs").rglob("*.md")}
    built = {str(page.relative_to(tmp_path / "site")) for page in (tmp_path / "site").rglob("*.html")}
    assert pages - {"formats-intro.html"} <= built
    for page in built:
        html = (tmp_path / "site" / page).read_text("utf-8")
        assert not re.search(r"<(?:script|link|img)[^>]+(?:src|href)=\"(?:https?:)?//", html), f"{page} loads from afar"
