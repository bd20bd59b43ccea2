"""An open store with its index, for one run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import msgspec

from membatch import signals
from membatch.config import Config, memory_bytes
from membatch.errors import StoreError
from membatch.fingerprint import canonical_text
from membatch.monitor import Clock, memory_total
from membatch.plan import Digest, MemoryKey
from membatch.prepare import Prepare, Tokenize
from membatch.rebuild import rebuild
from membatch.report import Tally
from membatch.rules import rules_of
from membatch.run import Loader
from membatch.sizing import sizer
from membatch.store import Store, open_store

if TYPE_CHECKING:
    from membatch.similarity.index import Index


class Session:
    """An open store with its index, for one run."""

    def __init__(self, config: Config, *, dry_run: bool = False, wait: bool = False) -> None:
        self.config = config
        self.rules = rules_of(config)
        self.store: Store = open_store(config.store, config.dedup.scope, dry_run=dry_run, wait=wait)
        try:
            self.rebuilt = rebuild(self.store, config)
            self.tokenize: Tokenize | None = None
            if config.dedup.strategy == "similar":
                from membatch.similarity.tokens import tokenize

                self.tokenize = tokenize
            self.index = self._index()
        except BaseException:
            self.store.close()
            raise
        self.sizer = sizer(config.batch, memory_bytes(config.batch.memory_limit, memory_total()))
        self.clock = Clock()

    def batch_size(self) -> int:
        return self.sizer.size

    def close(self) -> None:
        self.clock.close()
        self.store.close()

    def _index(self) -> Index:
        from membatch.similarity.index import Index  # compiled code: loaded only where it is used

        lowest = min(self.rules.threshold, self.rules.review_from)
        for _ in range(2):
            index = Index(self.config.dedup.strategy, lowest, self.rules.guards)
            with closing(self.store.fingerprints()) as blocks:
                if index.load(blocks):
                    return index
            assert self.tokenize is not None
            self._add_missing_tokens(self.tokenize)
        raise StoreError("founders have no tokens, though all were made: see `membatch check`")

    def _add_missing_tokens(self, tokenize: Tokenize) -> None:
        while rows := self.store.missing_tokens():
            tokens = tokenize([canonical_text(summary) for _, _, summary in rows])
            named = zip(tokens, rows, strict=True)
            self.store.add_tokens([(found, memory, number) for found, (memory, number, _) in named])

    def prepare(self, format_name: str) -> Prepare:
        return Prepare(self.config, format_name, self.tokenize)

    def loader(self, run: int, first_of_run: MemoryKey, *, refused: set[Digest] | None = None) -> Loader:
        others: frozenset[MemoryKey] = frozenset()
        is_resumed = first_of_run != self.store.next_key() or self.store.last_batch(run) is not None
        if self.rules.only_run and is_resumed:  # other runs may have made or removed memories meanwhile
            first_of_run, others = self.store.own_memories(run)
        return Loader(
            self.store,
            self.index,
            self.rules,
            self.config,
            run=run,
            first_of_run=first_of_run,
            others=others,
            refused=self.store.conflicting_digests() if refused is None else refused,
            clock=self.clock,
            sizer=self.sizer,
        )

    def finish(self, run: int, status: str, **ending: Any) -> None:
        rest = Tally()
        rest.measured(self.clock.lap(is_last=True))
        ending["rest"] = rest
        if self.rebuilt:
            ending["rebuilt"] = self.rebuilt
        self.store.finish_run(run, status, msgspec.json.encode(ending).decode())


@contextmanager
def opened_session(config: Config, **options: bool) -> Iterator[Session]:
    """Open a session for the length of the block."""
    session = Session(config, **options)
    try:
        yield session
    except KeyboardInterrupt as stopped:
        if not options.get("dry_run"):
            stopped.add_note("go on with `membatch resume`")
        raise
    finally:
        with signals.ignored():  # who asks again need not wait, and is told how to go on
            session.close()


def to_json(value: Any) -> str:
    """Return a value as JSON text."""
    return msgspec.json.encode(value).decode()
