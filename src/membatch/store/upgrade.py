"""An older store → the current schema version, in place.

Rule: a step a version, each a few statements; all of them and the new version number are one transaction, so
that a store is of one version whole, whatever happens meanwhile.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from membatch.store.queries import query

SCHEMA_VERSION: Final = 2

# The queries that lead from a version to the next one.
STEPS: Final = {
    1: (
        "upgrade_1_detected",
        "upgrade_1_next_memory",
        "upgrade_1_unmerged_in",
        "upgrade_1_moved",
        "upgrade_1_with_rowid",
        "upgrade_1_copy",
        "upgrade_1_drop",
        "upgrade_1_rename",
    )
}


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring a store to the current version; the caller holds the write lock. Raises sqlite3.Error, changing nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute(query("get_meta"), ("schema_version",)).fetchone()
        for number in range(int(version), SCHEMA_VERSION):
            for name in STEPS[number]:
                connection.execute(query(name))
        connection.execute(query("set_meta"), ("schema_version", str(SCHEMA_VERSION)))
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
