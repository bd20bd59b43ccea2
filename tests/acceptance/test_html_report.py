"""The HTML report in a real browser: whole without network, its charts drawn, hostile content inert."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import CHROMIUM, Browser, browser
from .command import lines, membatch

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (apt install chromium)"),
    pytest.mark.xdist_group("browser"),
]

HOSTILE = (
    "<script>document.title='taken'</script>",
    "<img src=x onerror=\"document.title='taken'\">",
    "</style></title></svg><svg onload=\"document.title='taken'\">",
    "<a href=\"javascript:document.title='taken'\">x</a>",
    "\" onmouseover=\"document.title='taken'\" autofocus onfocus=\"document.title='taken'",
    "{{7*7}} ${7*7} &lt;b&gt; \u202e reversed \u0007",
    "<meta http-equiv=refresh content='0;url=https://example.org/'>",
    "<iframe src=https://example.org/></iframe><link rel=stylesheet href=https://example.org/x.css>",
)


def hostile_records() -> list[dict[str, object]]:
    records: list[dict[str, object]] = []
    for number, text in enumerate(HOSTILE):
        person = {"id": text, "name": text, "metadata": {text: text}}
        records += [
            {"summary": f"the father said {text} in {number}", "participants": [person], "tags": ["t"]},
            {"summary": f"the mother said {text} in {number}", "participants": [person], "confidence": 0.5},
            {"summary": f"the mother said {text} in {number + 100}", "emotional_context": {"primary": "joy"}},
            {"summary": text, "confidence": 9, "subject": text, "participants": [{"name": text, text: 1}]},
            {"summary": text, "emotional_context": {"primary": text}, "metadata": {text: {text: text}}},
        ]
    return records


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    plain = [{"summary": f"{name} went home at {hour}"} for name in ("Anna", "Bo", "Cleo") for hour in range(9)]
    source = lines(folder / "<b onclick=x>in &.jsonl", *hostile_records(), *plain)
    loaded = membatch("run", source.name, "--batch-size", 10, "--report", "report.html", folder=folder)
    assert loaded.returncode == 1, loaded.stderr
    return folder / "report.html"


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


def test_the_page_loads_nothing_and_reports_no_fault(page: Path, chromium: Browser) -> None:
    chromium.open(page)
    faults = chromium.seen("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
    assert faults == []
    loaded = {event["params"]["request"]["url"] for event in chromium.seen("Network.requestWillBeSent")}
    assert {url for url in loaded if not url.startswith("data:")} == {page.as_uri()}
    assert page.stat().st_size < 1_500_000


def test_hostile_content_stays_text(page: Path, chromium: Browser) -> None:
    chromium.open(page)
    chromium.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert chromium.evaluate("document.title") == "load 1 · membatch report"
    assert chromium.seen("Page.javascriptDialogOpening", "Page.frameRequestedNavigation") == []
    assert chromium.evaluate("document.querySelectorAll('script, img, iframe, object, embed, form, base').length") == 0
    attributes = chromium.evaluate(
        "[...document.querySelectorAll('*')].flatMap(node => [...node.attributes].map(each => each.name))"
        ".filter(name => name.startsWith('on') || name == 'style' || name == 'autofocus').length"
    )
    assert attributes == 0
    links = chromium.evaluate("[...document.querySelectorAll('[href]')].map(node => node.getAttribute('href'))")
    assert all(link.startswith("#") or link == "data:," for link in links)
    shown = chromium.evaluate("document.body.textContent")
    assert HOSTILE[0] in shown  # it is there, as text
    assert "\u202e" not in shown
    assert "\u0007" not in shown


def test_the_content_policy_would_stop_a_script(page: Path, chromium: Browser, tmp_path: Path) -> None:
    broken = tmp_path / "broken.html"
    broken.write_text(page.read_text("utf-8").replace("</main>", "<script>document.title='taken'</script></main>"))
    chromium.open(broken)
    assert chromium.evaluate("document.title") != "taken"
    assert len(chromium.seen("Log.entryAdded")) == 1


def test_every_chart_is_drawn(page: Path, chromium: Browser) -> None:
    chromium.look(width=1200)
    chromium.open(page)
    charts = chromium.evaluate(
        "[...document.querySelectorAll('figure')].map(figure => [figure.querySelector('figcaption').textContent,"
        " [...figure.querySelectorAll('.series rect, .series .line')]"
        "  .filter(mark => mark.getBoundingClientRect().width > 1).length,"
        " figure.querySelector('svg').getAttribute('aria-label'), figure.querySelector('svg').getAttribute('role')])"
    )
    titles = {title for title, *_ in charts}
    expected = {"Errors by field", "Scores of the candidates found", "Records a second", "Batch size", "Memory held"}
    assert expected <= titles
    for title, marks, label, role in charts:
        assert marks > 0, title
        assert re.search(r"\d", label), "a chart says its figures in words"
        assert role == "img"
    places = chromium.evaluate("[...document.querySelectorAll('.axis.x text')].map(node => node.textContent)")
    assert any(re.fullmatch(r"[\d.]+ s", place) for place in places)
    assert not any("…" in place or "..." in place for place in places)  # a time that is cut tells nothing
    amounts = chromium.evaluate(
        "[...document.querySelectorAll('.tile dd:nth-of-type(1)')].map(node => node.textContent)"
    )
    parts = chromium.evaluate("[...document.querySelectorAll('.bar .series title')].map(node => node.textContent)")
    assert [part.split(": ")[1] for part in parts] == [amount for amount in amounts if amount != "0"]


@pytest.mark.parametrize("width", [320, 390])
def test_a_phone_needs_no_sideways_scrolling(page: Path, chromium: Browser, width: int) -> None:
    chromium.look(width=width, phone=True)
    chromium.open(page)
    chromium.evaluate("document.querySelectorAll('details').forEach(part => part.open = true)")
    assert chromium.evaluate("document.documentElement.scrollWidth") <= width


def test_light_and_dark_both_give_readable_contrast(page: Path, chromium: Browser) -> None:
    for dark in (False, True):
        chromium.look(width=1200, dark=dark)
        chromium.open(page)
        for selector in ("h1", ".next", "figcaption", "figure p, .facts dt", "td", ".tile dt", "nav a", "code"):
            text, ground = chromium.evaluate(
                f"(node => {{ let at = node; while (getComputedStyle(at).backgroundColor == 'rgba(0, 0, 0, 0)')"
                " at = at.parentElement;"
                f" return [getComputedStyle(node).color, getComputedStyle(at).backgroundColor]; }})"
                f"(document.querySelector('{selector}'))"
            )
            assert contrast(text, ground) >= 4.5, (selector, dark)


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two CSS colours, as WCAG 2 defines it."""

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_a_keyboard_reaches_everything_in_order(page: Path, chromium: Browser) -> None:
    chromium.look(width=1200)
    chromium.open(page)
    reached = []
    for _ in range(60):
        for kind in ("keyDown", "keyUp"):
            chromium.ask("Input.dispatchKeyEvent", type=kind, key="Tab", code="Tab", windowsVirtualKeyCode=9)
        reached.append(
            chromium.evaluate("document.activeElement.tagName + ' ' + document.activeElement.textContent.slice(0, 30)")
        )
    assert reached[0] == "A Skip to the report"
    assert sum(name.startswith("A ") for name in reached[:7]) >= 5
    assert any(name.startswith("SUMMARY Samples") for name in reached)
    assert any(name.startswith("SUMMARY Settings") for name in reached)
    headings = chromium.evaluate("[...document.querySelectorAll('h1, h2')].map(node => node.tagName).join(' ')")
    assert headings.startswith("H1 H2")
    unnamed = chromium.evaluate(
        "[...document.querySelectorAll('section, nav, [role=region]')]"
        ".filter(node => !node.getAttribute('aria-label') && !node.getAttribute('aria-labelledby')).length"
    )
    assert unnamed == 0


def test_it_prints_to_paper(page: Path, chromium: Browser) -> None:
    chromium.open(page)
    assert chromium.ask("Page.printToPDF", printBackground=True)["data"].startswith("JVBERi")


def test_redact_leaves_no_content_in_the_page(page: Path, chromium: Browser) -> None:
    membatch("report", "--redact", "--output", "redacted.html", folder=page.parent)
    text = (page.parent / "redacted.html").read_text("utf-8")
    assert "said" in page.read_text("utf-8")
    assert "said" not in text
    chromium.open(page.parent / "redacted.html")
    assert chromium.seen("Log.entryAdded", "Runtime.exceptionThrown") == []


def test_the_page_of_an_empty_run_and_of_a_validation_are_whole_too(chromium: Browser, tmp_path: Path) -> None:
    lines(tmp_path / "empty.jsonl")
    lines(tmp_path / "few.jsonl", {"summary": "a"}, {"summary": ""})
    membatch("run", "empty.jsonl", "--report", "empty.html", folder=tmp_path)
    membatch("validate", "few.jsonl", "--report", "few.html", folder=tmp_path)
    for name, sentence in (("empty", "no record was read."), ("few", "of 2 records, 1 valid and 1 rejected.")):
        chromium.open(tmp_path / f"{name}.html")
        assert sentence in chromium.evaluate("document.querySelector('h1').textContent")
        assert chromium.seen("Log.entryAdded", "Runtime.exceptionThrown") == []


def test_the_report_as_json_has_no_empty_key(page: Path) -> None:
    report = json.loads(membatch("report", "--json", folder=page.parent).stdout)
    empty = [key for key, value in report.items() if value is None and key not in ("migration", "changes")]
    assert empty == []
    for part in ("timing", "resources", "deduplication", "emotions", "quality", "batch_size"):
        assert None not in report[part].values(), part
