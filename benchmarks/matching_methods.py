"""What `matching.py` measures: membatch and its peers, each as it is used for the same question.

Rule: a method prepares what is not measured, starting up, and returns the work as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from matching_truth import Numbers, Pairs, Texts

BATCH = 10_000


def _encoded(later: Any, earlier: Any) -> Pairs:
    return np.unique((np.asarray(later, np.int64) << 32) | np.asarray(earlier, np.int64))


# The work as a function without arguments, and a function that turns what the work returns into pairs or texts.
Prepared = tuple[Callable[[], Any], Callable[[Any], Numbers]]


def _join(
    mine: Texts, threshold: str, founders: Callable[[Any, int], npt.NDArray[np.int64]]
) -> Iterator[tuple[int, Any, npt.NDArray[np.int64]]]:
    """Run the join that the product runs, in batches.

    `founders` says, for what was found and the number of founders before it, which records become founders too.
    Yields the number of a part's first text, what was found, and its founders.
    """
    from membatch.similarity.join import Join
    from membatch.similarity.tokens import tokenize

    join = Join(Fraction(threshold))
    for start in range(0, len(mine), BATCH):
        tokens, at = tokenize(mine[start : start + BATCH]), 0
        while at < len(tokens):  # a flood of hits is answered in parts
            rest = tokens[at:]
            found = join.find(rest, np.zeros(len(rest), np.int32), np.ones(len(rest), np.bool_))
            kept = founders(found, join.founders)
            yield start + at, found, kept
            join.keep(kept, kept + (start + at + 1))
            at += found.length


def _all(found: Any, _: int) -> npt.NDArray[np.int64]:
    return np.arange(found.length)


def _without_partner(found: Any, founders: int) -> npt.NDArray[np.int64]:
    """Return the records that no founder is similar to, and none before them that becomes one."""
    records, others = found.hits[:, 0].astype(np.int64), found.hits[:, 1].astype(np.int64) - founders
    dropped = np.zeros(found.length, np.bool_)
    dropped[records[others < 0]] = True
    records, others = records[others >= 0], others[others >= 0]
    while len(records):
        is_open = ~dropped[records] & ~dropped[others]
        records, others = records[is_open], others[is_open]
        waits = np.zeros(found.length, np.bool_)
        waits[records] = True
        dropped[records[~waits[others]]] = True  # what waits for none is not dropped
    return np.flatnonzero(~dropped)


def _pairs(some: Texts, threshold: str) -> Iterator[Pairs]:
    for start, found, _ in _join(some, threshold, _all):
        yield ((found.hits[:, 0].astype(np.int64) + start) << 32) | found.hits[:, 1]


def membatch(some: Texts, threshold: str) -> Prepared:
    """All pairs."""
    return lambda: list(_pairs(some, threshold)), lambda parts: np.sort(np.concatenate(parts))


def membatch_flags(some: Texts, threshold: str) -> Prepared:
    """The same; of the pairs only which texts have a partner is kept."""

    def work() -> npt.NDArray[np.bool_]:
        flags = np.zeros(len(some), np.bool_)
        for pairs in _pairs(some, threshold):
            flags[pairs >> 32] = True
            flags[pairs & 0xFFFFFFFF] = True
        return flags

    return work, np.flatnonzero


def membatch_founders(some: Texts, threshold: str) -> Prepared:
    """As a load uses the join where each pair is judged the same: a text with a partner is not entered."""

    def work() -> list[npt.NDArray[np.int64]]:
        return [kept + start for start, _, kept in _join(some, threshold, _without_partner)]

    return work, lambda parts: np.setdiff1d(np.arange(len(some)), np.concatenate(parts))


def rensa(some: Texts, threshold: str) -> Prepared:
    """Full-set R-MinHash, 128 permutations, 16 bands; the candidates are not verified."""
    import rensa as library

    def work() -> Any:
        hashes = library.RMinHash.from_token_sets([text.split() for text in some], num_perm=128, seed=42)
        index = library.RMinHashLSH(threshold=float(threshold), num_perm=128, num_bands=16)
        index.insert_many(hashes)
        return index.query_all(hashes)

    def pairs(answers: Any) -> Pairs:
        found = [(later, other) for later, others in enumerate(answers) for other in others if other < later]
        return _encoded(*np.array(found, np.int64).reshape(-1, 2).T)

    return work, pairs


def rensa_flags(some: Texts, threshold: str) -> Prepared:
    """Rho sketches, 128 slots, 8 bands, in one call; it flags both texts of a pair."""
    import rensa as library

    def work() -> Any:
        matrix = library.RMinHash.digest_matrix_from_token_sets_rho(
            [text.split() for text in some], num_perm=128, seed=42
        )
        index = library.RMinHashLSH(threshold=float(threshold), num_perm=128, num_bands=8)
        return index.query_duplicate_flags_matrix_one_shot(matrix)

    return work, lambda flags: np.flatnonzero(flags)


def rensa_founders(some: Texts, threshold: str) -> Prepared:
    """Its deduplicator with the settings of its documentation: what is like a text that was kept is not kept."""
    import rensa as library

    def work() -> list[bool]:
        kept = library.RMinHashDeduplicator(threshold=float(threshold), num_perm=128, use_lsh=True)
        answer: list[bool] = kept.add_pairs((str(number), text.split()) for number, text in enumerate(some))
        return answer

    return work, lambda kept: np.flatnonzero(~np.array(kept))


def datasketch(some: Texts, threshold: str) -> Prepared:
    """MinHash of 128 permutations, MinHashLSH at the threshold; the candidates are not verified."""
    import datasketch as library

    def work() -> list[tuple[int, Any]]:
        index = library.MinHashLSH(threshold=float(threshold), num_perm=128)
        found = []
        for later, text in enumerate(some):
            one = library.MinHash(num_perm=128)
            one.update_batch([word.encode() for word in set(text.split())])
            others = index.query(one)
            if others:
                found.append((later, others))
            index.insert(later, one)
        return found

    def pairs(found: list[tuple[int, Any]]) -> Pairs:
        flat = [(later, other) for later, others in found for other in others]
        return _encoded(*np.array(flat, np.int64).reshape(-1, 2).T)

    return work, pairs


def semhash(some: Texts, threshold: str) -> Prepared:
    """Static embeddings and its default index; each text that it drops has one partner, of which it keeps the text."""
    import wordllama
    from model2vec import StaticModel
    from safetensors.numpy import load_file
    from semhash import SemHash
    from tokenizers import Tokenizer

    folder = Path(wordllama.__file__).parent
    (vectors,) = load_file(folder / "weights" / "l2_supercat_256.safetensors").values()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    model: Any = StaticModel(vectors.astype(np.float32), tokenizer)
    rows = [{"number": str(number), "text": text} for number, text in enumerate(some)]

    def work() -> Any:
        index = SemHash.from_records(rows, columns=["text"], model=model)
        return index.self_deduplicate(threshold=float(threshold))

    return work, lambda found: np.array([int(one.record["number"]) for one in found.filtered], np.int64)


def goldenmatch(some: Texts, threshold: str) -> Prepared:
    """Blocks of its MinHash LSH on words, scored by `token_sort`, an edit distance of the sorted words."""
    import goldenmatch as library
    import pyarrow as pa
    from goldenmatch.config.schemas import LSHKeyConfig

    field = library.MatchkeyField(field="summary", scorer="token_sort", weight=1.0)
    key = library.MatchkeyConfig(name="text", type="weighted", threshold=float(threshold), fields=[field])
    bands = LSHKeyConfig(column="summary", threshold=float(threshold), mode="word", k=1)
    blocking = library.BlockingConfig(strategy="lsh", lsh=bands)
    config = library.GoldenMatchConfig(matchkeys=[key], blocking=blocking)
    table = pa.table({"summary": some})

    def pairs(found: Any) -> Pairs:
        both = np.array([(one, other) for one, other, _ in found.scored_pairs], np.int64).reshape(-1, 2)
        return _encoded(both.max(axis=1), both.min(axis=1))

    return lambda: library.dedupe_df(table, config=config), pairs


class Method(NamedTuple):
    """A method, and what it answers: all pairs, which texts have a partner, or which are dropped."""

    prepare: Callable[[Texts, str], Prepared]
    gives: Literal["pairs", "texts", "dropped"]


METHODS: dict[str, Method] = {
    "membatch": Method(membatch, "pairs"),
    "membatch-flags": Method(membatch_flags, "texts"),
    "membatch-founders": Method(membatch_founders, "dropped"),
    "rensa": Method(rensa, "pairs"),
    "rensa-flags": Method(rensa_flags, "texts"),
    "rensa-founders": Method(rensa_founders, "dropped"),
    "datasketch": Method(datasketch, "pairs"),
    "semhash": Method(semhash, "texts"),
    "goldenmatch": Method(goldenmatch, "pairs"),
}
