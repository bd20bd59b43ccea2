"""The SQLite store: one file, one writer, one transaction a batch.

Rule: every value is bound; every error of the driver leaves here as one of ours, sorted into what a record
causes, what passes by itself, and what the machine causes.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import filelock

from membatch.errors import (
    RefusedError,
    StoreBusyError,
    StoreError,
    StoreMismatchError,
    SurroundingsError,
)
from membatch.memory import HASH_VERSION, UNICODE_VERSION
from membatch.plan import Checkpoint, Digest, Plan
from membatch.store import (
    RebuiltRow,
    now,
)
from membatch.store.changes import PURGE_IS_DUE, Changes
from membatch.store.driver import ours, translated
from membatch.store.inspection import Inspection
from membatch.store.places import path_of, uri_of
from membatch.store.queries import query
from membatch.store.reading import Reading
from membatch.store.upgrade import SCHEMA_VERSION, upgrade

if TYPE_CHECKING:
    from membatch.store.transaction import SqliteTransaction

OLDEST_SQLITE: Final = (3, 38, 0)  # the operators -> and ->>
PAGE_BYTES: Final = 16_384  # measured: fewer pages are rewritten a commit than with the default of 4 KiB
# A load has the log moved into the database after about so much of its input, which fills up to 120 MB of it: a page
# that was written several times is moved once. What is there beyond so many pages, 240 MB, a commit moves.
LOGGED_BYTES: Final = 24_000_000
CHECKPOINT_PAGES: Final = 15_000
BUSY_MILLISECONDS: Final = 5_000
LOCK_SECONDS: Final = 0.2  # a reader that looks whether the lock is held has it for less than a millisecond
PATIENT_MILLISECONDS: Final = 30_000  # where nobody counts attempts: about as long as those of a batch together
LIVE_RUN: Final = "live_run"  # the fact which run the holder of the lease is at work on


class SqliteStore(Reading):
    """An open SQLite store; see `membatch.store.Store` for its face."""

    def __init__(
        self,
        url: str,
        scope: tuple[str, ...] | None = None,
        *,
        write: bool = True,
        dry_run: bool = False,
        wait: bool = False,
    ) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StoreError(f"SQLite {sqlite3.sqlite_version} is too old: 3.38 or newer is needed")
        self._path = path_of(url)
        self._dry_run = dry_run
        self._lock: filelock.BaseFileLock | None = None
        self._lease = self._logged = 0
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        is_new = not Path(self._path).exists() or Path(self._path).stat().st_size == 0
        may_be_made = write and scope is not None
        if is_new and not may_be_made:
            raise StoreError(f"there is no store {self._path}: load something with `membatch run` first")
        if is_new and dry_run:
            self._temporary = tempfile.TemporaryDirectory(prefix="membatch-")
            self._path = str(Path(self._temporary.name) / "dry-run.db")
        self._connection = self._open(write, wait)
        try:
            with ours():
                if self._is_empty():  # also where a creation died
                    if not may_be_made:
                        raise StoreError(f"there is no store {self._path}: load something with `membatch run` first")
                    self._create(scope or ())
                self._verify(scope)
                if write:
                    self._take_lease()
                    self._purge_if_due(dry_run)
                if dry_run:
                    self._connection.execute("BEGIN IMMEDIATE")
        except BaseException:
            self.close()
            raise

    def _is_empty(self) -> bool:
        return not self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]

    def _open(self, write: bool, wait: bool) -> sqlite3.Connection:
        connection: sqlite3.Connection | None = None
        if write:
            self._take_lock(wait)
        try:
            if write and not Path(self._path).exists():
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))
            with ours():
                connection = sqlite3.connect(
                    uri_of(self._path, write=write),
                    isolation_level=None,
                    timeout=PATIENT_MILLISECONDS / 1000,
                    check_same_thread=False,
                    uri=True,
                )
                connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # of no effect but in an empty file
                connection.execute("PRAGMA journal_mode = WAL" if write else "PRAGMA query_only = ON")
                connection.execute("PRAGMA synchronous = FULL")
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        except OSError as error:
            self._release()
            raise SurroundingsError(f"cannot open the store {self._path}: {error.strerror}") from None
        except BaseException:
            if connection is not None:
                connection.close()
            self._release()
            raise
        return connection

    def _take_lock(self, wait: bool) -> None:
        if not Path(self._path).absolute().parent.is_dir():
            raise SurroundingsError(f"cannot open the store {self._path}: its folder does not exist: make it first")
        # An operating-system lock: the death of its holder releases it.
        lock = filelock.FileLock(f"{self._path}.lock", mode=0o600)
        try:
            lock.acquire(timeout=-1 if wait else LOCK_SECONDS)
        except filelock.Timeout:
            raise StoreBusyError(
                f"the store {self._path} is being written to by {self._holder()}: wait for it, or use --wait"
            ) from None
        except OSError as error:
            raise SurroundingsError(
                f"cannot lock the store {self._path}: {error.strerror}: allow writing beside it, or use another --store"
            ) from None
        self._lock = lock

    def _holder(self) -> str:
        try:
            connection = sqlite3.connect(f"{Path(self._path).absolute().as_uri()}?mode=ro", uri=True)
            row = connection.execute(query("get_meta"), ("lease_holder",)).fetchone()
            connection.close()
        except sqlite3.Error:
            return "another process"
        return str(row[0]) if row else "another process"

    def _create(self, scope: tuple[str, ...]) -> None:
        schema = (resources.files("membatch.store") / "schema.sql").read_text("utf-8")
        facts = {
            "schema_version": str(SCHEMA_VERSION),
            "hash_version": str(HASH_VERSION),
            "unicode_version": UNICODE_VERSION,
            "dedup_scope": json.dumps(scope),
            "lease": "0",
        }
        self._connection.execute("BEGIN IMMEDIATE")
        for statement in re.split(r";\s*\n", schema):
            if statement.strip():
                self._connection.execute(statement)
        self._connection.executemany(query("set_meta"), facts.items())
        self._connection.execute("COMMIT")

    def _verify(self, scope: tuple[str, ...] | None) -> None:
        try:
            version = self._meta("schema_version")
        except RefusedError:
            version = None
        if version is None:
            raise StoreError(f"{self._path} is a SQLite database but no membatch store: name another file")
        if int(version) < SCHEMA_VERSION:
            self._upgrade()
        elif int(version) > SCHEMA_VERSION:
            message = f"the store {self._path} has schema version {version}, this membatch knows {SCHEMA_VERSION}"
            raise StoreMismatchError(message + ": install a newer membatch")
        stored = tuple(json.loads(self._meta("dedup_scope") or "[]"))
        if scope is not None and stored != tuple(scope):
            raise StoreMismatchError(
                f"the store {self._path} was made with dedup.scope = {list(stored)}, the settings say {list(scope)}: "
                "use the same scope, or another store"
            )

    def _upgrade(self) -> None:
        """Bring the store to the current schema version; a reader takes the write lock for as long."""
        is_reader = self._lock is None
        if is_reader:
            self._take_lock(wait=False)
            self._connection.execute("PRAGMA query_only = OFF")
        try:
            upgrade(self._connection)
        finally:
            if is_reader:
                self._connection.execute("PRAGMA query_only = ON")
                self._release()

    def _take_lease(self) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        self._lease = int(self._meta("lease") or 0) + 1
        holder = f"process {os.getpid()} on {socket.gethostname()} since {now()}"
        execute(query("set_meta"), ("lease", str(self._lease)))
        execute(query("set_meta"), ("lease_holder", holder))
        execute(query("set_meta"), (LIVE_RUN, ""))
        execute("COMMIT")

    def _check_lease(self) -> None:
        held = self._meta("lease")
        if held != str(self._lease):
            raise StoreBusyError(
                f"the write lease of {self._path} was taken over (number {held}, ours was {self._lease}): "
                "nothing of this batch was written"
            )

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def close(self) -> None:
        """Give the lease back and close; what a dry run wrote is rolled back."""
        self._roll_back("ROLLBACK")
        try:
            self._connection.close()
        except sqlite3.Error as error:
            raise translated(error) from error
        finally:
            self._release()
            if self._temporary is not None:
                self._temporary.cleanup()

    @contextmanager
    def _block(self, patience: int = PATIENT_MILLISECONDS) -> Iterator[None]:
        """Run the block in a transaction, in a dry run in a savepoint of the one that is rolled back.

        Another program's lock is waited for, at most `patience` milliseconds.
        """
        begin, commit, rollback = (
            ("SAVEPOINT batch", "RELEASE batch", "ROLLBACK TO batch")
            if self._dry_run
            else ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")
        )
        execute = self._connection.execute
        with ours():
            execute(f"PRAGMA busy_timeout = {patience}")
            execute(begin)
            try:
                self._check_lease()
                yield
                execute(commit)
            except BaseException as error:
                if self._dry_run and isinstance(error, RefusedError) and not self._connection.in_transaction:
                    message = f"the database rolled back the whole dry run where it refused a row: {error}"
                    raise StoreError(f"{message}: what comes after cannot be foretold") from error
                self._roll_back(rollback)
                raise

    def _roll_back(self, rollback: str) -> None:
        """Roll back, so that the error that is on its way is told and not one of the rollback."""
        with contextlib.suppress(sqlite3.Error):  # what stays open is rolled back by closing the connection
            if self._connection.in_transaction:
                self._connection.execute(rollback)

    @contextmanager
    def transaction(self, run: int, number: int) -> Iterator[SqliteTransaction]:
        """Open the transaction of a batch; it commits at the end of the block, or rolls back."""
        from membatch.store.transaction import SqliteTransaction  # imports numpy: loaded only where it is used

        with self._block(BUSY_MILLISECONDS):
            yield SqliteTransaction(self._connection, run, number)

    def tidying(self, read_bytes: int) -> Callable[[], None] | None:
        """Return what moves the log into the database, where so much was read since the last time that it is due."""
        self._logged += read_bytes
        if self._dry_run or self._logged < LOGGED_BYTES:
            return None
        self._logged = 0
        return self._move_log

    def _move_log(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # what cannot be moved stays in the log, as after a commit
            self._connection.execute("PRAGMA wal_checkpoint(PASSIVE)")

    def refusal(self, plan: Plan) -> RefusedError | None:
        """Return why the database refuses a row of the plan, None where it takes all; nothing is written."""
        from membatch.store.transaction import SqliteTransaction

        try:
            with self._block():
                run = self._connection.execute("SELECT max(run) FROM run").fetchone()[0]
                transaction = SqliteTransaction(self._connection, run, -1)
                transaction.lay_out(plan, Checkpoint())()
                transaction.lay_out_rest(b"{}")()
                raise _Undo
        except _Undo:
            return None
        except RefusedError as refused:
            return refused

    def begin_run(self, **columns: Any) -> int:
        """Return the number of a new run: kind, parent, format, sources, config."""
        values = (
            columns["kind"],
            columns["parent"],
            now(),
            columns["format"],
            columns["sources"],
            columns["config"],
            columns.get("detected"),
        )
        with self._block():
            run = int(self._connection.execute(query("insert_run"), values).fetchone()[0])
            self._connection.execute(query("set_meta"), (LIVE_RUN, str(run)))
        return run

    def reopen_run(self, run: int, config: str) -> None:
        """Let an interrupted run go on."""
        with self._block():
            self._connection.execute(query("reopen_run"), (config, run))
            self._connection.execute(query("rewind_retries"), (run,))
            self._connection.execute(query("set_meta"), (LIVE_RUN, str(run)))

    def finish_run(self, run: int, status: str, summary: str) -> None:
        """Note how a run ended."""
        with self._block():
            self._connection.execute(query("finish_run"), (status, now(), summary, run))

    def add_tokens(self, rows: Iterable[tuple[bytes, int, int]]) -> None:
        """Write the tokens of founders: tokens, memory, number."""
        with self._block():
            self._connection.executemany(query("add_tokens"), rows)

    def rebuild_fingerprints(
        self,
        blocks: Iterable[Sequence[RebuiltRow]],
        refused: Iterable[tuple[Digest | None, int]],
        versions: Mapping[str, str],
    ) -> None:
        """Replace all fingerprints, and digests of rejects, and note their versions, all in one transaction."""
        with self._block():
            many = self._connection.executemany
            self._connection.execute(query("begin_rebuilt"))
            self._connection.execute(query("clear_rebuilt"))
            for block in blocks:
                many(query("note_rebuilt"), block)
                many(query("rebuild_fingerprint"), block)
            self._connection.execute(query("rebuild_duplicates"))
            many(query("rebuild_reject"), refused)
            many(query("set_meta"), versions.items())
            self._connection.execute(query("clear_rebuilt"))

    def live_run(self) -> int | None:
        """Return the run that another process is at work on now, if there is one."""
        live = self._meta(LIVE_RUN)
        return int(live) if live and self._is_held() else None

    def _is_held(self) -> bool:
        """Return whether somebody else holds the write lease: a dead holder's lock is free."""
        name = f"{self._path}.lock"
        if self._lock is not None or not Path(name).exists():
            return False
        try:
            with filelock.FileLock(name, timeout=0, mode=0o600):
                return False
        except filelock.Timeout:
            return True
        except OSError:  # not ours to open: what cannot be known is not claimed
            return False

    @contextmanager
    def changes(self, run: int) -> Iterator[Changes]:
        """Open the one transaction of a run that is no load, in which it also ends."""
        with self._block():
            changes = Changes(self._connection, self.fetch, run)
            yield changes
            changes.close()

    @contextmanager
    def inspection(self) -> Iterator[Inspection]:
        """Look at the store as it is now, whatever is written meanwhile."""
        with ours():
            self._connection.execute("BEGIN")  # what is read sees one moment
        try:
            yield Inspection(self._connection)
        finally:
            self._roll_back("ROLLBACK")

    def _purge_if_due(self, dry_run: bool) -> None:
        if self._meta(PURGE_IS_DUE) == "1" and not dry_run:
            with contextlib.suppress(StoreBusyError):  # the next opening tries again
                self.purge()

    def purge(self) -> None:
        """Leave no trace of removed rows in the files; raises StoreBusyError while others read old pages."""
        execute = self._connection.execute
        with ours():
            execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
            execute("PRAGMA secure_delete = ON")  # new pages are written without what was in memory before
            try:
                execute("VACUUM")  # free pages, and the gaps within pages, are left behind
                is_busy = execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                execute("PRAGMA secure_delete = OFF")
        if is_busy:
            raise StoreBusyError(
                f"another program still reads old pages of {self._path}, which hold traces of what was removed: when "
                "it has ended, the next command that writes to the store erases them"
            )
        with self._block():
            execute(query("set_meta"), (PURGE_IS_DUE, "0"))


class _Undo(Exception):  # noqa: N818
    """Leaves a transaction that was only a trial."""
