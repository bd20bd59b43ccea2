"""A report is the sum of its batches, says in words what is wrong, and names what would help from figures."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from membatch import Config, process, report, validate
from membatch.monitor import Clock, memory_total
from membatch.report import PARTS, STAGES, Report, bottleneck
from membatch.report.patterns import patterns
from membatch.report.quality import script_of
from membatch.report.tally import Tally, add
from membatch.report.text import text_of
from membatch.report.timeline import timeline
from membatch.report.words import duration, next_step, outcome, printable, size
from membatch.runs.accounts import list_runs


def config(folder: Path, **flags: Any) -> Config:
    return Config.load(environment={}, store=f"sqlite:///{folder / 'm.db'}", **flags)


def loaded(folder: Path, records: Iterable[dict[str, Any]], **flags: Any) -> Report:
    return process(records, config=config(folder, **flags))


FATHER, MOTHER = "my father died when I was in high school", "my mother died when I was in high school"


def test_what_records_are_like_is_counted(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        [
            {"summary": "Anna", "confidence": 0.25, "emotional_context": {"primary": "joy"}},
            {"summary": "Анна переехала", "confidence": 1, "emotional_context": {"primary": "so so"}},
            {"summary": "x" * 6000, "tags": ["a"], "emotional_context": {"valence": 0.5}},
            {"summary": "猫が好きです", "subject": "p", "participants": [{"id": "p"}]},
            {"summary": ""},
        ],
    )
    quality, emotions = found.quality, found.emotions
    assert quality["examined"] == emotions["examined"] == 4
    assert quality["missing"]["confidence"] == 2
    assert quality["missing"]["tags"] == 3
    assert quality["missing"]["content"] == 4
    assert quality["confidence"] == {"mean": 0.625, "histogram": [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]}
    assert quality["text_length"]["1-19"] == 3
    assert quality["text_length"]["5,000 and more"] == 1
    assert quality["scripts"] == {"latin": 2, "cyrillic": 1, "japanese": 1}
    assert emotions["with_context"] == 3
    assert emotions["primary"] == {"joy": 1, "other": 1, "unstated": 1}


@pytest.mark.parametrize(
    ("text", "script"),
    [("Anna", "latin"), ("Zoë", "latin"), ("12:30 !", "none"), ("🍎", "none"), ("昨天", "han"), ("私は猫", "japanese"),
     ("Москва Anna", "cyrillic"), ("안녕", "hangul"), ("שלום", "hebrew"), ("مرحبا", "arabic"), ("नमस्ते", "devanagari"),
     ("สวัสดี", "thai"), ("Ωmega ωω", "latin"), ("გამარჯობა", "other")],
)  # fmt: skip
def test_the_script_of_a_text_is_that_of_most_of_its_letters(text: str, script: str) -> None:
    assert script_of(text) == script


def test_a_sample_of_a_long_run_does_not_depend_on_batches(tmp_path: Path) -> None:
    records = [{"summary": f"record {number}", "confidence": number % 10 / 10} for number in range(12_000)]
    found = []
    for most in (1_000, 7_001):
        folder = tmp_path / str(most)
        folder.mkdir()
        found.append(loaded(folder, records, batch__size=most, dedup__strategy="memory-only").quality)
    assert found[0] == found[1]
    assert 10_000 < found[0]["examined"] < 10_600


def test_an_error_pattern_says_in_words_what_the_source_has_instead(tmp_path: Path) -> None:
    people = [{"summary": f"a {number}", "participants": [{"name": "Tom"}]} for number in range(3)]
    scaled = [{"summary": f"b {number}", "confidence": 7} for number in range(2)]
    texts = [pattern["text"] for pattern in loaded(tmp_path, [*people, *scaled]).errors["patterns"]]
    assert texts[0].startswith("3 records: participants[].id is missing; your source has `name` there.")
    assert (
        texts[1] == "2 records: confidence is out of range. The values look like a scale up to 10: divide them by 10."
    )


def test_a_source_of_another_format_is_told_its_format(tmp_path: Path) -> None:
    conversation = {"sample_id": "c", "observation": {}, "conversation": {"speaker_a": "A", "speaker_b": "B"}}
    found = loaded(tmp_path, [conversation], format="membatch")
    assert "--format locomo" in found.errors["patterns"][0]["text"]
    assert found.recommendations[0]["code"] == "name-the-format"
    assert "--format locomo" in next_step(found)


def test_held_and_refused_pairs_are_shown_with_their_texts(tmp_path: Path) -> None:
    records = [{"summary": FATHER}, {"summary": MOTHER}]
    records += [{"summary": f"gate B{number} opens at noon every single day of the year"} for number in range(9)]
    loaded(tmp_path, records)
    shown = report(store=config(tmp_path).store).deduplication["examples"]
    assert shown["held"] == {"substitution": [{"older": FATHER, "younger": MOTHER, "score": 0.8}]}
    assert len(shown["refused"]["numbers"]) == 5
    assert shown["refused"]["numbers"][0]["older"] == "gate B0 opens at noon every single day of the year"
    redacted = report(store=config(tmp_path).store, redact=True)
    assert redacted.deduplication["examples"] == {"held": {}, "refused": {}}
    assert redacted.deduplication["by_guard"]["substitution"]["unsure"] == 1


def test_a_record_that_is_unsure_of_two_memories_is_one_hold(tmp_path: Path) -> None:
    sister = FATHER.replace("father", "sister")
    found = loaded(tmp_path, [{"summary": text} for text in (FATHER, MOTHER, sister)])
    assert found.counts.held == 2
    assert found.deduplication["by_guard"]["substitution"] == {"different": 0, "unsure": 2}
    assert sum(found.deduplication["score_histogram"]) == 3  # pairs


def test_pairs_refused_in_compiled_code_are_counted_and_shown(tmp_path: Path) -> None:
    beats = [{"summary": f"the resting heart rate of the patient was {beat} bpm in the morning"} for beat in range(150)]
    loaded(tmp_path, beats)
    found = report(1, store=f"sqlite:///{tmp_path / 'm.db'}").deduplication
    pairs = 150 * 149 // 2
    assert found["by_guard"] == {"numbers": {"different": pairs, "unsure": 0}}
    assert sum(found["score_histogram"]) == found["pairs_compared"] == pairs
    shown = found["examples"]["refused"]["numbers"]
    assert len(shown) == 5
    assert {pair["score"] for pair in shown} == {0.8333}
    redacted = report(1, store=f"sqlite:///{tmp_path / 'm.db'}", redact=True).deduplication
    assert redacted["examples"] == {"held": {}, "refused": {}}


def test_a_report_from_the_store_equals_the_one_that_the_run_returned(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"summary": FATHER}, {"summary": MOTHER}, {"summary": "", "confidence": 2}]
    first = loaded(tmp_path, records, batch__size=2)
    assert json.loads(first.to_json()) == json.loads(report(store=config(tmp_path).store).to_json())


def test_times_and_resources_are_figures_for_a_load_and_a_validation(tmp_path: Path) -> None:
    records = [{"summary": f"record {number}"} for number in range(3000)]
    for found in (loaded(tmp_path, records), validate(records, config=config(tmp_path))):
        timing, used = found.timing, found.resources
        assert tuple(timing["stages"]) == STAGES
        assert timing["bottleneck"] in set(PARTS.values())
        assert 0 < timing["bottleneck_share"] <= 1
        assert timing["stages"]["decode"] > 0
        assert timing["stages_cpu"]["decode"] > 0
        assert used["cpu_seconds"] > 0
        assert 0 < used["rss_bytes"] <= used["peak_rss_bytes"]
        assert used["gc_seconds"] >= 0
        assert used["read_bytes"] > 3000 * len("record")
        assert timing["seconds"] >= sum(batch["seconds"] for batch in found.batches)


def test_the_bottleneck_is_the_part_that_took_longest() -> None:
    assert bottleneck({"read": 1.0, "decode": 2.0, "write": 1.5, "commit": 1.5}) == ("store", 0.5)
    assert bottleneck({}) is None


def test_pauses_of_the_garbage_collector_are_timed_until_the_clock_is_closed() -> None:
    import gc

    clock = Clock()
    gc.collect()
    assert clock.lap().gc_seconds > 0
    clock.close()
    gc.collect()
    assert clock.lap().gc_seconds == 0


def test_the_last_lap_looks_at_memory_again() -> None:
    clock = Clock()
    before = clock.lap().rss_bytes
    held = bytearray(64_000_000)
    assert clock.lap(is_last=True).rss_bytes > before + 0.9 * len(held)
    clock.close()


def test_a_stage_that_is_part_of_another_one_has_no_figure_of_its_own(tmp_path: Path) -> None:
    found = process([{"summary": "tea"}], store=f"sqlite:///{tmp_path}/m.db")
    assert found.timing["stages"]["decode"] > 0
    assert found.timing["stages"]["fingerprint"] is None


@pytest.mark.parametrize("version", [1, 2])
def test_the_memory_limit_of_a_cgroup_counts(tmp_path: Path, version: int) -> None:
    file = tmp_path / "memory.max" if version == 2 else tmp_path / "memory" / "memory.limit_in_bytes"
    file.parent.mkdir(exist_ok=True)
    whole = memory_total(tmp_path)
    file.write_text("max\n" if version == 2 else "9223372036854771712\n")
    assert memory_total(tmp_path) == whole
    file.write_text("123456789\n")
    assert memory_total(tmp_path) == 123456789


def test_the_terminal_report_fits_one_screen_and_ends_in_the_next_command(tmp_path: Path) -> None:
    bad = [{"summary": "", "confidence": number, f"x{number}": 1, "occurred_at": "now", "tags": [""] * number,
            "participants": [{"name": "x"}], "subject": "y", "source": 5} for number in range(2, 30)]  # fmt: skip
    found = loaded(tmp_path, [{"summary": FATHER}, {"summary": MOTHER}, *bad])
    lines = text_of(found).splitlines()
    assert len(lines) <= 24
    assert lines[0].startswith("load 1 finished: 30 records read in ")
    assert any(line.startswith("rates: success 6.67%") for line in lines)
    assert any("28 records: confidence is out of range" in line for line in lines)
    assert lines[-1].startswith("next: ")
    assert "`membatch" in lines[-1]


def test_the_outcome_is_one_sentence(tmp_path: Path) -> None:
    found = loaded(tmp_path, [{"summary": "a"}, {"summary": "a"}, {"summary": ""}])
    assert outcome(found) == "Load 1 finished: of 3 records, 1 new, 1 known already and 1 rejected."
    assert outcome(loaded(tmp_path, iter([]))) == "Load 2 finished: no record was read."


def test_runs_stand_beside_the_earlier_ones(tmp_path: Path) -> None:
    loaded(tmp_path, [{"summary": "a"}, {"summary": ""}])
    loaded(tmp_path, [{"summary": "a"}, {"summary": "b"}])
    loaded(tmp_path, [{"summary": "c"}])
    first, second, third = list_runs(config(tmp_path).store)
    assert first["earlier"] is None
    assert (second["rates"]["success"], second["earlier"]["success"]) == (1.0, 0.5)
    assert (third["rates"]["duplicate"], third["earlier"]["success"], third["earlier"]["duplicate"]) == (0, 0.75, 0.25)


def test_the_changes_of_the_batch_size_are_reported(tmp_path: Path) -> None:
    records = [{"summary": f"record {number}"} for number in range(800)]
    found = loaded(tmp_path, records, batch__size="auto", batch__min=10, batch__max=20, dedup__strategy="exact")
    sizes = found.batch_size
    assert sizes["initial"] == 20
    assert sizes["changes"][0]["from"] == 20
    assert sizes["changes"][0]["to"] == 10
    assert sizes["changes"][0]["reason"]
    assert sizes["final"] in (10, 20)
    at = sizes["changes"][0]["batch"]
    assert found.batches[at - 1]["size"] == 10 or found.batches[at]["size"] == 10


def test_a_thousand_points_are_enough_for_any_run() -> None:
    batches = [
        {"number": number, "read": 10, "seconds": 0.5, "rss_bytes": number, "rejected": 1} for number in range(1, 2502)
    ]
    moments = timeline(batches)
    assert len(moments) == 834
    assert sum(moment.rejected for moment in moments) == 2501
    assert moments[-1].at == pytest.approx(2501 * 0.5)
    assert (moments[0].name, moments[0].records, moments[0].speed, moments[0].rss_bytes) == ("1-3", 10, 20, 3)


def test_figures_read_as_people_say_them() -> None:
    assert [duration(seconds) for seconds in (0.312, 45, 250, 7500)] == ["0.31 s", "45 s", "4 min 10 s", "2 h 5 min"]
    assert [size(count) for count in (0, 999, 12_400_000, 3.2e9)] == ["0 bytes", "999 bytes", "12.4 MB", "3.2 GB"]
    assert printable("a\u202eb\x1b") == "a\\u202eb\\x1b"


def test_every_key_of_a_report_is_documented() -> None:
    page = (Path(__file__).parent.parent / "docs" / "report.md").read_text("utf-8")
    assert [name for name in Report.__struct_fields__ if f"`{name}`" not in page] == []


def test_a_dry_run_advises_only_to_load_for_good(tmp_path: Path) -> None:
    found = process([{"summary": ""}, {"summary": FATHER}, {"summary": MOTHER}], config=config(tmp_path), dry_run=True)
    assert [item["code"] for item in found.recommendations] == ["dry-run"]
    assert (found.run_id, found.kind, found.counts.held) == (None, "dry run", 1)
    page, screen = found.to_html(), text_of(found)
    assert "Dry run finished: of 3 records" in page
    assert screen.startswith("dry run finished: 3 records read")
    for shown in (page, screen):  # no run is left that these could show
        assert "without --dry-run" in shown
        assert not re.search(r"membatch (review|retry|resume|rejects \d|report \d)", shown)


def test_what_hostile_input_names_does_not_swell_the_report(tmp_path: Path) -> None:
    """Names of its own choice under metadata, in records that are rejected, batch after batch."""
    values = (
        {"summary": "x", "metadata": {f"name{n}": "\0", f"other{n}": {"deep": "\0"}}, f"field{n}": 1, "confidence": 7}
        for n in range(3000)
    )
    report = loaded(tmp_path, values, batch__size=20, dedup__strategy="exact", tolerance__max_error_rate=1)
    assert report.counts.rejected == 3000
    assert report.errors["by_field"] == {"confidence": 3000, "metadata.*": 6000}
    assert sum(report.errors["by_code"].values()) == 3000
    assert len(report.to_json()) < 400_000
    (size,) = sqlite3.connect(tmp_path / "m.db").execute("SELECT max(length(tally)) FROM batch").fetchone()
    assert size < 20_000


def test_what_is_beyond_the_keys_of_a_table_is_counted_as_other() -> None:
    total = Tally()
    for number in range(2000):
        add(total, Tally(by_field={f"f{number}": 2}, patterns={f"f{number}-type f{number}": 2}))
    assert len(total.by_field) == 501
    assert (sum(total.by_field.values()), total.by_field["(other)"]) == (4000, 3000)
    found = patterns(total.patterns, {})
    assert (found[0]["count"], found[0]["text"]) == (3000, "3,000 records: other faults. See `membatch rejects`.")
