"""Pieces of HTML: what comes from records is escaped here, and nowhere put into a page unescaped.

Rule: a `Html` has been escaped or was written by us; text becomes `Html` through `text` only.
"""

from __future__ import annotations

import difflib
import html
import re
from collections.abc import Iterable, Sequence
from typing import NewType

from membatch.report.words import printable

Html = NewType("Html", str)


def text(value: object) -> Html:
    """Return a value as text in a page."""
    return Html(html.escape(printable(str(value)), quote=True))


def joined(parts: Iterable[Html]) -> Html:
    """Return pieces one after the other."""
    return Html("\n".join(parts))


def prose(value: str) -> Html:
    """Return a sentence in which what stands between backticks is code."""
    pieces = re.split(r"`([^`]+)`", value)
    return Html("".join(f"<code>{text(piece)}</code>" if at % 2 else text(piece) for at, piece in enumerate(pieces)))


def section(name: str, title: str, *content: Html) -> Html:
    """Return a part of the page with its heading, or nothing where it has no content."""
    kept = [piece for piece in content if piece]
    if not kept:
        return Html("")
    inside = joined(kept)
    return Html(
        f'<section id="{name}" aria-labelledby="h-{name}">\n<h2 id="h-{name}">{text(title)}</h2>\n{inside}\n</section>'
    )


def figure(title: str, chart: str, note: str = "", wide: bool = False) -> Html:
    """Return a chart under its title."""
    below = f"<p>{text(note)}</p>" if note else ""
    kind = ' class="wide"' if wide else ""
    return Html(f"<figure{kind}><figcaption>{text(title)}</figcaption>{chart}{below}</figure>")


def grid(*figures: Html) -> Html:
    """Return figures side by side where there is room."""
    kept = [piece for piece in figures if piece]
    return Html(f'<div class="grid">\n{joined(kept)}\n</div>') if kept else Html("")


def folded(title: str, *content: Html) -> Html:
    """Return something that is shown when it is asked for."""
    kept = [piece for piece in content if piece]
    return Html(f"<details><summary>{text(title)}</summary>\n{joined(kept)}\n</details>") if kept else Html("")


def table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[object]], numbers: int = 0) -> Html:
    """Return a table that scrolls sideways where it must; its last `numbers` columns are figures.

    A cell that is `Html` already is to be wrapped by `cell`.
    """
    first_number = len(heads) - numbers
    head = "".join(f'<th scope="col"{_kind(at, first_number)}>{text(name)}</th>' for at, name in enumerate(heads))
    body = "\n".join(
        "<tr>" + "".join(f"<td{_kind(at, first_number)}>{_cell(value)}</td>" for at, value in enumerate(row)) + "</tr>"
        for row in rows
    )
    if not body:
        return Html("")
    return Html(
        f'<div class="scroll" role="region" aria-label="{text(caption)}" tabindex="0"><table>'
        f"<caption>{text(caption)}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></div>"
    )


class cell:  # noqa: N801
    """A cell of a table that is HTML already."""

    def __init__(self, content: Html) -> None:
        self.content = content


def _cell(value: object) -> Html:
    return value.content if isinstance(value, cell) else text(value)


def _kind(at: int, first_number: int) -> str:
    return ' class="number"' if at >= first_number else ""


def marked(one: str, other: str) -> tuple[Html, Html]:
    """Return two texts with the words marked that the other lacks."""
    mine, theirs = one.split(), other.split()
    shown: tuple[list[str], list[str]] = ([], [])
    for tag, start, stop, begin, end in difflib.SequenceMatcher(None, mine, theirs, autojunk=False).get_opcodes():
        for words, place in ((mine[start:stop], 0), (theirs[begin:end], 1)):
            if words:
                piece = text(" ".join(words))
                shown[place].append(piece if tag == "equal" else f"<mark>{piece}</mark>")
    return Html(" ".join(shown[0])), Html(" ".join(shown[1]))
