-- The named queries of the SQLite store. A name stands after "name:", what it does after it.

-- name: insert_batch: one transaction of a run
INSERT INTO batch (batch, run, number, checkpoint, tally) VALUES (?, ?, ?, ?, ?);

-- name: set_tally: the statistics of a transaction, which come last
UPDATE batch SET tally = ? WHERE batch = ?;

-- name: encoding: how the database writes texts
PRAGMA encoding;

-- name: insert_memory: a new memory
INSERT INTO memory (memory, id, match_scope, batch, stated, record) VALUES (?, ?, ?, ?, ?, ?);

-- name: insert_memories: new memories, cut from the values of `packing`
INSERT INTO memory (memory, id, match_scope, batch, record)
SELECT
    :first + key,
    value,
    coalesce(:scope, CAST(substr(
        :scopes,
        CAST(substr(:places, 60 * key + 1, 10) AS INTEGER),
        CAST(substr(:places, 60 * key + 11, 10) AS INTEGER)
    ) AS TEXT)),
    :batch,
    CAST(substr(
        :records,
        CAST(substr(:places, 60 * key + 21, 10) AS INTEGER),
        CAST(substr(:places, 60 * key + 31, 10) AS INTEGER)
    ) AS TEXT)
FROM json_each(:ids);

-- name: state_memories: what the founders of new memories say, where merging hides it at once
UPDATE memory SET stated = after.column1
FROM (VALUES (?, ?)) AS after WHERE memory = after.column2;

-- name: insert_merge: lineage
INSERT INTO merge (
    merge, memory, batch, step, shared, union_size, replaces, id, record, source, line, byte_offset, item_index,
    rules, conflicts, guards, reverse, stated_before, moved, next_memory
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: update_memory: a survivor after its merges
UPDATE memory SET stated = ?, record = ? WHERE memory = ?;

-- name: update_memories: survivors after their merges
UPDATE memory SET stated = after.column1, record = after.column2
FROM (VALUES (?, ?, ?)) AS after WHERE memory = after.column3;

-- name: supersede_fingerprints: a replaced memory's content leads to it no longer
UPDATE fingerprint SET superseded_by = ? WHERE memory = ? AND superseded_by IS NULL;

-- name: close_reviews: a replaced memory's open pairs close
UPDATE review SET state = 'closed', closed_by = ? WHERE state = 'open' AND (older = ? OR younger = ?);

-- name: insert_founder: what leads to a new memory
INSERT INTO fingerprint (memory, digest, content_hash, id_hash, match_scope, tokens) VALUES (?, ?, ?, ?, ?, ?);

-- name: insert_founders: what leads to new memories, cut from the values of `packing`
INSERT INTO fingerprint (memory, digest, content_hash, id_hash, match_scope, tokens)
SELECT
    :first + key,
    substr(:digests, 16 * key + 1, 16),
    substr(:content_hashes, 16 * key + 1, 16),
    value,
    iif(:tokens IS NULL, NULL, coalesce(:scope, CAST(substr(
        :scopes,
        CAST(substr(:places, 60 * key + 1, 10) AS INTEGER),
        CAST(substr(:places, 60 * key + 11, 10) AS INTEGER)
    ) AS TEXT))),
    iif(:tokens IS NULL, NULL, coalesce(substr(
        :tokens,
        CAST(substr(:places, 60 * key + 41, 10) AS INTEGER),
        CAST(substr(:places, 60 * key + 51, 10) AS INTEGER)
    ), x'')) -- what is cut from nothing is null
FROM json_each(:id_hashes);

-- name: insert_fingerprint: what leads to a memory
INSERT INTO fingerprint (
    memory, number, founder, superseded_by, digest, content_hash, id_hash, match_scope, tokens
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_duplicate: records that were known
INSERT INTO duplicate (memory, batch, id, digest, source, line, byte_offset, item_index)
VALUES (?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_review: pairs that a guard was unsure of
INSERT INTO review (older, younger, batch, step, shared, union_size, guards, state, closed_by)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: insert_reject: records that could not be stored
INSERT INTO reject (
    batch, source, line, byte_offset, item_index, category, code, message, errors, exception, raw, raw_length,
    raw_sha256, format, digest, id
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?);

-- name: fetch_memories: memories by their keys, given as a JSON array
SELECT memory, id, match_scope, record, stated FROM memory
WHERE memory IN (SELECT value FROM json_each(?));

-- name: next_keys: the keys that the next memory, merge and batch get; that of one that a review moved is not free
SELECT
    max(
        (SELECT coalesce(max(memory), 0) + 1 FROM memory),
        (SELECT coalesce(max(moved ->> '$.memory[0]'), 0) + 1 FROM merge WHERE moved IS NOT NULL)
    ),
    (SELECT coalesce(max(merge), 0) + 1 FROM merge),
    (SELECT coalesce(max(batch), 0) + 1 FROM batch);

-- name: first_memory: the oldest memory of a run
SELECT min(memory) FROM memory WHERE batch IN (SELECT batch FROM batch WHERE run = ?);

-- name: others_memories: the memories of other runs from one on
SELECT memory FROM memory JOIN batch USING (batch) WHERE memory >= ?2 AND run <> ?1;

-- name: appends_bytes: whether group_concat appends bytes as they are, as it does where texts are UTF-8
SELECT CAST(group_concat(bytes, '') AS BLOB) = x'00ffd8d8c361d8d8' FROM (
    SELECT x'00ffd8d8' AS bytes UNION ALL SELECT x'c361d8d8'
);

-- name: count_fingerprints: how many records lead to memories, and the last of these
SELECT count(*), CAST((SELECT max(memory) FROM fingerprint) AS INTEGER) FROM fingerprint;

-- name: next_fingerprint: where fingerprints go on
SELECT min(rowid) FROM fingerprint WHERE rowid > ?;

-- name: fingerprints: what leads to memories, all rows of a range in one row; ?3: bytes as hexadecimal digits
SELECT
    count(*),
    group_concat((memory << 22) + (ifnull(length(tokens) + 8, 0) << 2) + 2 * founder + (superseded_by IS NOT NULL)),
    group_concat(CAST(id_hash AS INTEGER)),
    CAST(group_concat(
        CASE WHEN ?3
            THEN hex(digest || content_hash || ifnull(tokens, x''))
            ELSE digest || content_hash || ifnull(tokens, x'')
        END,
        ''
    ) AS BLOB),
    count(nullif(match_scope, ?4))
FROM fingerprint WHERE rowid BETWEEN ?1 AND ?2;

-- name: fingerprint_scopes: the match scopes of a range whose rows have several
SELECT json_group_array(match_scope) FROM fingerprint
WHERE rowid BETWEEN ? AND ? AND founder = 1 AND superseded_by IS NULL;

-- name: fingerprints_of: all that leads to one memory
SELECT
    memory, superseded_by IS NOT NULL, founder, id_hash, CAST(digest || content_hash AS BLOB), tokens, match_scope
FROM fingerprint WHERE memory = ? ORDER BY number;

-- name: missing_tokens: founders whose tokens nobody needed yet, with the summary that has them
SELECT fingerprint.memory, number, record ->> '$.summary'
FROM fingerprint JOIN memory USING (memory)
WHERE founder = 1 AND superseded_by IS NULL AND tokens IS NULL
LIMIT 10000;

-- name: add_tokens: the tokens of a founder
UPDATE fingerprint
SET tokens = ?1, match_scope = (SELECT match_scope FROM memory WHERE memory = ?2)
WHERE memory = ?2 AND number = ?3;

-- name: begin_rebuilt: where digests go that were another under another version
CREATE TEMP TABLE IF NOT EXISTS rebuilt (old BLOB PRIMARY KEY, new BLOB NOT NULL) WITHOUT ROWID;

-- name: clear_rebuilt: before and after a rebuild
DELETE FROM rebuilt;

-- name: note_rebuilt: a digest that is another now
INSERT OR IGNORE INTO rebuilt SELECT digest, ?1 FROM fingerprint WHERE memory = ?4 AND number = ?5 AND digest <> ?1;

-- name: rebuild_fingerprint: what leads to a memory, made anew
UPDATE fingerprint SET digest = ?1, content_hash = ?2, tokens = ?3 WHERE memory = ?4 AND number = ?5;

-- name: rebuild_duplicates: what was known is known by its new digest
UPDATE duplicate SET digest = (SELECT new FROM rebuilt WHERE old = digest)
WHERE digest IN (SELECT old FROM rebuilt);

-- name: rebuild_reject: the digest of a record that was refused
UPDATE reject SET digest = ? WHERE reject = ?;

-- name: refused: rejects whose digest was kept
SELECT reject, raw FROM reject WHERE digest IS NOT NULL;

-- name: conflicting_digests: records that were refused, by one run or any, because their id belongs to another memory
SELECT DISTINCT digest FROM reject JOIN batch USING (batch) JOIN run USING (run)
WHERE code = 'id-conflict' AND resolved_by IS NULL AND run.status <> 'undone' AND run.run = coalesce(?, run.run);

-- name: merged_away: the ids of memories that reviews merged into another one
SELECT moved ->> '$.memory[2]', moved ->> '$.memory[1]', memory.id FROM merge JOIN memory USING (memory)
WHERE moved IS NOT NULL AND unmerged_in IS NULL ORDER BY moved ->> '$.memory[0]';

-- name: insert_run: the beginning of a change
INSERT INTO run (kind, status, parent, started_at, format, sources, config, detected)
VALUES (?, 'running', ?, ?, ?, ?, ?, ?)
RETURNING run;

-- name: finish_run: how a change ended
UPDATE run SET status = ?, finished_at = ?, summary = ? WHERE run = ?;

-- name: rewind_retries: a run goes on: what it rejects may take numbers that its open retries have passed, of rejects gone
UPDATE batch SET checkpoint = json_set(checkpoint, '$.line', gone.first, '$.index', 0)
FROM (SELECT coalesce(max(reject), 0) + 1 AS first FROM reject) AS gone
WHERE run IN (SELECT run FROM run WHERE parent = ? AND kind = 'retry' AND status NOT IN ('done', 'undone'))
AND checkpoint ->> '$.line' >= gone.first;

-- name: reopen_run: an interrupted run goes on
UPDATE run SET status = 'running', finished_at = NULL, config = ? WHERE run = ?;

-- name: runs: all changes, the oldest first
SELECT run, kind, status, parent, started_at, finished_at, format, sources, config, summary, detected FROM run
ORDER BY run;

-- name: batches: the transactions of a run, in order
SELECT number, checkpoint, tally FROM batch WHERE run = ? ORDER BY number;

-- name: last_batch: the newest transaction of a run
SELECT number, checkpoint FROM batch WHERE run = ? ORDER BY number DESC LIMIT 1;

-- name: rejects: some rejected records of a run after one, in order; few at a time, for each may be large
SELECT
    reject, batch.number, source, line, byte_offset, item_index, category, code, message, errors, exception, raw,
    raw_length, raw_sha256, reject.format, resolved_by
FROM reject CROSS JOIN batch USING (batch)
WHERE reject > ?2 AND batch.run = ?1 ORDER BY reject LIMIT 20;

-- name: resolve_reject: a retry brought the record in
UPDATE reject SET resolved_by = ? WHERE reject = ?;

-- name: export: all memories by age
SELECT id, record FROM memory ORDER BY memory;

-- name: get_meta: a fact about the store
SELECT value FROM meta WHERE name = ?;

-- name: set_meta: a fact about the store
INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: begin_touched: where the memories go that a run to be undone made or changed
CREATE TEMP TABLE IF NOT EXISTS touched (memory INTEGER PRIMARY KEY);

-- name: clear_touched: before the next undo
DELETE FROM touched;

-- name: touch: memories that a run made or changed by load, merge or hold, what was unmerged, what came back renamed
INSERT OR IGNORE INTO touched
SELECT memory FROM memory JOIN batch USING (batch) WHERE run = ?1
UNION SELECT memory FROM merge JOIN batch USING (batch) WHERE run = ?1
UNION SELECT older FROM review JOIN batch USING (batch) WHERE run = ?1
UNION SELECT memory FROM merge
WHERE moved IS NOT NULL AND moved ->> '$.memory[3]' IN (SELECT batch FROM batch WHERE run = ?1)
UNION SELECT memory FROM memory JOIN batch USING (batch) JOIN run USING (run) WHERE kind = 'unmerge' AND parent = ?1
UNION SELECT memory.memory FROM merge JOIN batch USING (batch)
JOIN memory ON memory.memory = moved ->> '$.memory[0]'
WHERE run = ?1 AND moved IS NOT NULL AND memory.id <> merge.id
UNION SELECT again.memory FROM merge JOIN batch USING (batch)
JOIN merge AS again ON again.moved ->> '$.memory[0]' = merge.moved ->> '$.memory[0]'
WHERE run = ?1 AND merge.moved IS NOT NULL AND again.moved IS NOT NULL AND again.unmerged_in IS NULL AND again.id <> merge.id;

-- name: takes_away: whether reviews of a run took memories away
SELECT 1 FROM merge JOIN batch USING (batch) WHERE run = ? AND moved IS NOT NULL LIMIT 1;

-- name: id_blockers: ids that memories of a run got later, and which would be taken if those came back
SELECT 'id', named.id FROM (
    SELECT id, match_scope, batch FROM memory
    UNION ALL SELECT moved ->> '$.memory[1]', moved ->> '$.memory[2]', moved ->> '$.memory[3]' FROM merge
    WHERE moved IS NOT NULL AND unmerged_in IS NULL
) AS named JOIN batch USING (batch)
WHERE run = ?1 AND batch.batch > (SELECT min(batch) FROM batch WHERE run = ?2)
AND (named.id, named.match_scope) IN (
    SELECT moved ->> '$.memory[1]', moved ->> '$.memory[2]' FROM merge JOIN batch USING (batch)
    WHERE run = ?2 AND moved IS NOT NULL
)
LIMIT 20;

-- name: is_taken: whether an id belongs to a memory, or to another one that a review took away and an undo brings back
SELECT EXISTS (SELECT 1 FROM memory WHERE id = ?1 AND match_scope = ?2) OR EXISTS (
    SELECT 1 FROM merge WHERE moved IS NOT NULL
    AND moved ->> '$.memory[1]' = ?1 AND moved ->> '$.memory[2]' = ?2
    AND moved ->> '$.memory[0]' IS NOT (SELECT own.moved ->> '$.memory[0]' FROM merge AS own WHERE own.merge = ?3)
);

-- name: blockers: what a run did later that names a touched memory; one that was resumed can be later and earlier
SELECT 'merge', merge || ' of ' || id FROM merge JOIN batch USING (batch)
WHERE run = ?1 AND batch > (SELECT min(batch) FROM batch WHERE run = ?2) AND memory IN (SELECT memory FROM touched)
UNION ALL
SELECT 'review', 'memory ' || older FROM review JOIN batch USING (batch)
WHERE run = ?1 AND batch > (SELECT min(batch) FROM batch WHERE run = ?2)
AND (older IN (SELECT memory FROM touched) OR younger IN (SELECT memory FROM touched))
UNION ALL
SELECT 'decision', 'review ' || review FROM review
WHERE decided_in = ?1
AND (SELECT batch FROM batch WHERE run = ?1) > (SELECT min(batch) FROM batch WHERE run = ?2)
AND (older IN (SELECT memory FROM touched) OR younger IN (SELECT memory FROM touched))
UNION ALL
SELECT 'unmerge', coalesce((SELECT id FROM merge WHERE unmerged_in = ?1), '(forgotten)') FROM run
WHERE run = ?1 AND kind = 'unmerge' AND parent = ?2
UNION ALL
SELECT 'duplicate', duplicate.id FROM duplicate JOIN batch USING (batch)
WHERE run = ?1 AND batch > (SELECT min(batch) FROM batch WHERE run = ?2)
AND memory IN (SELECT memory FROM touched) AND digest IN (
    SELECT digest FROM fingerprint
    WHERE memory IN (SELECT memory FROM touched) AND (
        number IN (SELECT merge FROM merge JOIN batch USING (batch) WHERE run = ?2 AND moved IS NULL)
        OR (number = 0 AND memory IN (
            SELECT memory FROM memory JOIN batch USING (batch)
            WHERE run = ?2 OR run IN (SELECT run FROM run WHERE kind = 'unmerge' AND parent = ?2)
        ))
    )
)
LIMIT 20;

-- name: next_to_undo: of runs, a JSON array, the newest merge before one, into a memory that they did not make or by review
SELECT merge.merge, merge.memory, reverse, stated_before, moved FROM merge
JOIN batch USING (batch) JOIN memory USING (memory) JOIN batch AS born ON born.batch = memory.batch
WHERE merge.merge < ?2 AND unmerged_in IS NULL AND batch.run IN (SELECT value FROM json_each(?1))
AND (moved IS NOT NULL OR born.run NOT IN (SELECT value FROM json_each(?1)))
ORDER BY merge.merge DESC LIMIT 1;

-- name: moved_by: the memories that a run's reviews took away and that came back since, the newest first
SELECT moved FROM merge JOIN batch USING (batch)
WHERE run = ? AND moved IS NOT NULL AND unmerged_in IS NOT NULL ORDER BY merge DESC;

-- name: rename_memory: a memory has another id
UPDATE memory SET id = ? WHERE memory = ?;

-- name: rename_fingerprint: and is found by it
UPDATE fingerprint SET id_hash = ? WHERE memory = ? AND number = 0;

-- name: merge_to_undo: how one merge is taken back
SELECT memory, reverse, stated_before, moved FROM merge WHERE merge = ?;

-- name: rows_to_undo: how many memories and merges a run made
SELECT
    (SELECT count(*) FROM memory JOIN batch USING (batch) WHERE run = ?1)
    + (SELECT count(*) FROM merge JOIN batch USING (batch) WHERE run = ?1);

-- name: make_known_by_memory: for the length of a change, the duplicates of each memory are found at once
CREATE INDEX known_by_memory ON duplicate (memory);

-- name: make_superseded_by_merge: and the fingerprints that a merge put aside
CREATE INDEX superseded_by_merge ON fingerprint (superseded_by) WHERE superseded_by IS NOT NULL;

-- name: make_closed_by_merge: and the pairs that a merge closed
CREATE INDEX closed_by_merge ON review (closed_by) WHERE closed_by IS NOT NULL;

-- name: drop_known_by_memory: loads do without it
DROP INDEX known_by_memory;

-- name: drop_superseded_by_merge: loads do without it
DROP INDEX superseded_by_merge;

-- name: drop_closed_by_merge: loads do without it
DROP INDEX closed_by_merge;

-- name: undo_superseded: fingerprints that a run's replacements had put aside lead by content again
UPDATE fingerprint SET superseded_by = NULL
WHERE superseded_by IN (SELECT merge FROM merge JOIN batch USING (batch) WHERE run = ?);

-- name: undo_closed: pairs that a run's replacements had closed open again
UPDATE review SET state = 'open', closed_by = NULL
WHERE state = 'closed' AND closed_by IN (SELECT merge FROM merge JOIN batch USING (batch) WHERE run = ?);

-- name: undo_decisions: pairs that a run decided open again
UPDATE review SET state = 'open', closed_by = NULL, decided_in = NULL WHERE decided_in = ?;

-- name: undo_fingerprints: what led to memories through a run
DELETE FROM fingerprint
WHERE number IN (SELECT merge FROM merge JOIN batch USING (batch) WHERE run = ?1)
OR memory IN (SELECT memory FROM memory JOIN batch USING (batch) WHERE run = ?1);

-- name: undo_reviews: pairs that a run held
DELETE FROM review WHERE batch IN (SELECT batch FROM batch WHERE run = ?);

-- name: undo_duplicates: records that a run knew
DELETE FROM duplicate WHERE batch IN (SELECT batch FROM batch WHERE run = ?);

-- name: undo_merges: lineage of a run
DELETE FROM merge WHERE batch IN (SELECT batch FROM batch WHERE run = ?);

-- name: undo_moved_duplicates: what was known by a memory that an unmerge made is known by its merge again
UPDATE duplicate SET memory = (SELECT memory FROM merge WHERE unmerged_in = ?1)
WHERE memory IN (SELECT memory FROM memory JOIN batch USING (batch) WHERE run = ?1)
AND EXISTS (SELECT 1 FROM merge WHERE unmerged_in = ?1);

-- name: undo_memories: memories that a run made
DELETE FROM memory WHERE batch IN (SELECT batch FROM batch WHERE run = ?);

-- name: undo_rejects: records that a run rejected
DELETE FROM reject WHERE batch IN (SELECT batch FROM batch WHERE run = ?);

-- name: undo_resolved: rejects that a run had resolved open again
UPDATE reject SET resolved_by = NULL WHERE resolved_by = ?;

-- name: mark_undone: a run counts as absent
UPDATE run SET status = 'undone' WHERE run = ?;

-- name: by_id: the memories of an id, where a match scope has none those that absorbed, else that knew a record of it
WITH named AS (
    SELECT memory, match_scope FROM memory WHERE id = ?1
), absorbed AS (
    SELECT memory, match_scope FROM merge JOIN memory USING (memory)
    WHERE merge.id = ?1 AND unmerged_in IS NULL AND match_scope NOT IN (SELECT match_scope FROM named)
), known AS (
    SELECT memory, match_scope FROM duplicate JOIN memory USING (memory)
    WHERE duplicate.id = ?1
    AND match_scope NOT IN (SELECT match_scope FROM named UNION SELECT match_scope FROM absorbed)
)
SELECT memory, id, match_scope, record, stated FROM memory
WHERE memory IN (
    SELECT memory FROM named UNION SELECT memory FROM absorbed UNION SELECT memory FROM known
)
ORDER BY memory;

-- name: lineage: the merges into a memory, the oldest first, with what a review moved and those that were taken back
SELECT
    merge, run, step, shared, union_size, replaces, merge.id, merge.record, source, line, byte_offset, item_index,
    rules, conflicts, guards, reverse, unmerged_in,
    moved ->> '$.memory[0]', moved ->> '$.memory[3]', moved -> '$.merges'
FROM merge JOIN batch USING (batch) WHERE memory = ? ORDER BY merge;

-- name: unmerged_from: the merges whose taking back made a memory, or made it stand alone again
SELECT merge, unmerged_in, memory.id
FROM batch CROSS JOIN run USING (run) CROSS JOIN merge ON unmerged_in = run JOIN memory ON memory.memory = merge.memory
WHERE batch.batch = coalesce(?2, (SELECT batch FROM memory WHERE memory = ?1)) AND run.kind = 'unmerge'
UNION
SELECT merge, unmerged_in, memory.id FROM merge JOIN memory USING (memory)
WHERE moved IS NOT NULL AND moved ->> '$.memory[0]' = ?1 AND unmerged_in IS NOT NULL
ORDER BY merge;

-- name: beginnings: how the summaries of memories begin, given as a JSON array, and in which run each was made
SELECT memory, run, substr(record ->> '$.summary', 1, ?2) FROM memory JOIN batch USING (batch)
WHERE memory IN (SELECT value FROM json_each(?1));

-- name: reviews: pairs in a state, with both memories, the oldest first
SELECT
    review, older, younger, step, shared, union_size, guards, state,
    mine.id, mine.record, other.id, other.record
FROM review JOIN memory AS mine ON mine.memory = older JOIN memory AS other ON other.memory = younger
WHERE state = ? ORDER BY review;

-- name: review: one pair, with both memories
SELECT
    review, older, younger, step, shared, union_size, guards, state,
    mine.id, mine.record, other.id, other.record
FROM review JOIN memory AS mine ON mine.memory = older JOIN memory AS other ON other.memory = younger
WHERE review = ?;

-- name: decide_review: a pair is accepted or rejected
UPDATE review SET state = ?, closed_by = ?, decided_in = ? WHERE review = ?;

-- name: moved_memory: a memory that an accepted review takes away
SELECT memory, id, match_scope, batch, stated, record FROM memory WHERE memory = ?;

-- name: moved_fingerprints: what leads to it
SELECT number, founder, id_hash FROM fingerprint WHERE memory = ?;

-- name: moved_merges: its lineage
SELECT merge FROM merge WHERE memory = ?;

-- name: moved_reviews: the pairs that name it
SELECT review, older, younger, state, closed_by FROM review WHERE older = ?1 OR younger = ?1;

-- name: move_fingerprints: they lead to the survivor
UPDATE fingerprint
SET memory = ?1, number = CASE number WHEN 0 THEN ?2 ELSE number END, founder = 0, id_hash = 0
WHERE memory = ?3;

-- name: move_merges: its lineage goes on in the survivor's
UPDATE merge SET memory = ?1 WHERE memory = ?2;

-- name: move_duplicates: its duplicates become the survivor's
UPDATE duplicate SET memory = ?1 WHERE memory = ?2;

-- name: move_review: a pair follows to the survivor
UPDATE review SET older = ?, younger = ?, state = ?, closed_by = ? WHERE review = ?;

-- name: same_pair: whether a pair is open or was rejected already
SELECT count(*) FROM review
WHERE older = ? AND younger = ? AND review <> ? AND state IN ('open', 'rejected');

-- name: delete_memory: a memory that lives on in another one
DELETE FROM memory WHERE memory = ?;

-- name: return_fingerprint: what led to a memory leads to it again
UPDATE fingerprint SET memory = ?, number = ?, founder = ?, id_hash = ? WHERE memory = ? AND number = ?;

-- name: return_merge: lineage goes back to its memory
UPDATE merge SET memory = ? WHERE merge = ?;

-- name: return_review: a pair goes back to its memory, if its number has not become that of another pair
UPDATE review SET older = ?, younger = ?, state = ?, closed_by = ? WHERE review = ? AND older = ? AND younger = ?;

-- name: return_duplicates: what was known, before or since, by what a memory knows again goes with it
UPDATE duplicate SET memory = ?1
WHERE memory = ?2 AND digest IN (SELECT digest FROM fingerprint WHERE memory = ?1);

-- name: facts: all facts about the store
SELECT name, value FROM meta;

-- name: check_ids: ids that several memories of one match scope have
SELECT 'id ' || id || ' in ' || match_scope FROM memory GROUP BY match_scope, id HAVING count(*) > 1;

-- name: check_digests: digests that several records have
SELECT 'digest ' || hex(digest) FROM fingerprint GROUP BY digest HAVING count(*) > 1;

-- name: check_first: memories without the fingerprint of the record that made them
SELECT 'memory ' || memory FROM memory
WHERE NOT EXISTS (SELECT 1 FROM fingerprint WHERE fingerprint.memory = memory.memory AND number = 0);

-- name: check_founders: memories without or with several founders
SELECT 'memory ' || memory.memory FROM memory
LEFT JOIN fingerprint ON fingerprint.memory = memory.memory AND founder = 1 AND superseded_by IS NULL
GROUP BY memory.memory HAVING count(fingerprint.memory) <> 1;

-- name: check_superseded: fingerprints put aside by what could not
SELECT 'memory ' || memory || ' fingerprint ' || number FROM fingerprint
WHERE superseded_by IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM merge
    WHERE merge.merge = superseded_by AND merge.memory = fingerprint.memory AND replaces = 1 AND unmerged_in IS NULL
);

-- name: check_strays: fingerprints that nothing stands behind
SELECT 'memory ' || memory || ' fingerprint ' || number FROM fingerprint
WHERE number <> 0 AND NOT EXISTS (
    SELECT 1 FROM merge
    WHERE merge.merge = number AND merge.memory = fingerprint.memory AND unmerged_in IS NULL
);

-- name: check_duplicates: duplicates of a record that their memory does not know
SELECT 'duplicate ' || duplicate FROM duplicate
WHERE (memory, digest) NOT IN (
    SELECT memory, digest FROM fingerprint WHERE memory IN (SELECT memory FROM duplicate)
);

-- name: check_reviews: pairs that are none, open ones that were decided
SELECT 'review ' || review FROM review
WHERE (older >= younger AND state NOT IN ('accepted', 'closed'))
OR state NOT IN ('open', 'accepted', 'rejected', 'closed')
OR NOT json_valid(guards)
OR (state = 'open' AND (closed_by IS NOT NULL OR decided_in IS NOT NULL));

-- name: check_numbers: runs whose batches are not numbered without a gap
SELECT 'run ' || run FROM batch GROUP BY run HAVING min(number) <> 1 OR max(number) <> count(*);

-- name: check_resolved: rejects that were not brought in by a retry of their run
SELECT 'reject ' || reject FROM reject JOIN batch USING (batch) JOIN run ON run.run = resolved_by
WHERE run.parent IS NOT batch.run OR run.kind <> 'retry';

-- name: check_batches: all batches with what their run is
SELECT batch, run, number, kind, status, tally FROM batch JOIN run USING (run) ORDER BY batch;

-- name: check_accepted: how many memories of each batch live on in another one
SELECT moved ->> '$.memory[3]', count(*) FROM merge WHERE moved IS NOT NULL AND unmerged_in IS NULL GROUP BY 1;

-- name: check_memories: all memories with the fingerprint of their first founder, the youngest first
SELECT
    memory.memory, id, memory.match_scope, record, stated,
    founder, digest, content_hash, id_hash, fingerprint.match_scope, tokens
FROM memory LEFT JOIN fingerprint ON fingerprint.memory = memory.memory AND number = 0
ORDER BY memory.memory DESC;

-- name: check_merges: all lineage with the fingerprints of what was absorbed, the newest first
SELECT
    merge.memory, merge, record, reverse, moved, rules, conflicts, guards, stated_before,
    founder, digest, content_hash, id_hash, match_scope, tokens
FROM merge LEFT JOIN fingerprint ON fingerprint.memory = merge.memory AND number = merge
WHERE unmerged_in IS NULL
ORDER BY merge.memory DESC, merge DESC;

-- name: begin_forgotten: where the merges go that are to be forgotten
CREATE TEMP TABLE IF NOT EXISTS forgotten (merge INTEGER PRIMARY KEY);

-- name: clear_forgotten: before the next memory is forgotten
DELETE FROM forgotten;

-- name: note_forgotten: what a memory absorbed, and all taken back that once held it: by itself, or in another memory
INSERT INTO forgotten
WITH RECURSIVE born (memory, batch) AS (
    SELECT memory, batch FROM memory WHERE memory = :memory
    UNION ALL SELECT moved ->> '$.memory[0]', moved ->> '$.memory[3]' FROM merge
    WHERE memory = :memory AND moved IS NOT NULL AND unmerged_in IS NULL
), holding (merge, unmerged_in) AS (
    SELECT merge, unmerged_in FROM merge WHERE unmerged_in IN (
        SELECT run FROM born JOIN batch USING (batch) JOIN run USING (run) WHERE kind = 'unmerge'
    )
    UNION SELECT merge, unmerged_in FROM merge
    WHERE moved IS NOT NULL AND moved ->> '$.memory[0]' IN (SELECT memory FROM born) AND unmerged_in IS NOT NULL
    UNION SELECT later.merge, later.unmerged_in FROM holding JOIN merge AS later
    WHERE later.moved IS NOT NULL AND later.unmerged_in < holding.unmerged_in
    AND holding.merge IN (SELECT value FROM json_each(later.moved, '$.merges'))
)
SELECT merge FROM holding UNION SELECT merge FROM merge WHERE memory = :memory;

-- name: clear_closing: pairs that a merge closed, now that it is forgotten
UPDATE review SET closed_by = NULL WHERE closed_by IN (SELECT merge FROM forgotten);

-- name: forgotten_rows: the rows of a memory by table and batch, those of memories that a review moved into it too
SELECT 'memory', batch, count(*) FROM memory WHERE memory = :memory GROUP BY 2
UNION ALL SELECT 'memory', moved ->> '$.memory[3]', count(*) FROM merge
WHERE memory = :memory AND moved IS NOT NULL AND unmerged_in IS NULL GROUP BY 2
UNION ALL SELECT 'merge', batch, count(*) FROM merge WHERE merge IN (SELECT merge FROM forgotten) GROUP BY 2
UNION ALL SELECT 'duplicate', batch, count(*) FROM duplicate WHERE memory = :memory GROUP BY 2
UNION ALL SELECT 'review', batch, count(*) FROM review WHERE older = :memory OR younger = :memory GROUP BY 2;

-- name: forget_reverses: what merges changed while such a one stood, and were taken back before it, quotes it
UPDATE merge SET reverse = '[]', conflicts = '[]', stated_before = NULL
WHERE unmerged_in IS NOT NULL AND EXISTS (
    SELECT 1 FROM forgotten JOIN merge AS older USING (merge)
    WHERE older.memory = merge.memory AND older.merge < merge.merge AND merge.unmerged_in < older.unmerged_in
);

-- name: forget_reviews: the pairs that name a memory
DELETE FROM review WHERE older = :memory OR younger = :memory;

-- name: forget_fingerprints: what led to it
DELETE FROM fingerprint WHERE memory = :memory;

-- name: forget_duplicates: the records that it was known for
DELETE FROM duplicate WHERE memory = :memory;

-- name: forget_merges: what it absorbed, and what held it
DELETE FROM merge WHERE merge IN (SELECT merge FROM forgotten);

-- name: forget_memory: the memory itself
DELETE FROM memory WHERE memory = :memory;

-- name: all_rejects: rejects after one, in order; few at a time, for each may be large
SELECT reject, batch, code, message, exception, raw FROM reject WHERE reject > ? ORDER BY reject LIMIT 20;

-- name: forget_reject: a reject that says what is forgotten
DELETE FROM reject WHERE reject = ?;

-- name: silence_reject: a reject that says something else, but quotes what is forgotten
UPDATE reject SET message = ?, exception = NULL WHERE reject = ?;

-- name: wrapped_sources: runs that keep what stood around the items of their sources
SELECT run, sources FROM run WHERE sources LIKE '%"rest":%';

-- name: set_sources: what a run read, without what is forgotten
UPDATE run SET sources = ? WHERE run = ?;

-- name: merge: one merge, with the run that made it, the match scope of its memory and the digest that it absorbed
SELECT run, merge.id, unmerged_in, memory.match_scope, digest
FROM merge JOIN batch USING (batch) JOIN memory USING (memory)
LEFT JOIN fingerprint ON fingerprint.memory = merge.memory AND fingerprint.number = merge WHERE merge = ?;

-- name: after_merge: what names a memory later than one of its merges
SELECT run, 'merge', newer.merge || ' of ' || newer.id FROM merge AS old JOIN merge AS newer ON newer.memory = old.memory
JOIN batch ON batch.batch = newer.batch
WHERE old.merge = ?1 AND newer.merge > old.merge AND newer.unmerged_in IS NULL
UNION ALL
SELECT run, 'hold', 'review ' || review FROM merge AS old
JOIN review ON older = old.memory OR younger = old.memory JOIN batch ON batch.batch = review.batch
WHERE old.merge = ?1 AND (review.batch > old.batch OR (review.batch = old.batch AND old.next_memory <= iif(
    older = younger, (SELECT moved ->> '$.memory[0]' FROM merge WHERE merge = closed_by), younger
)))
UNION ALL
SELECT decided_in, 'decision', 'review ' || review FROM merge AS old
JOIN review ON older = old.memory OR younger = old.memory JOIN batch ON batch.run = decided_in
WHERE old.merge = ?1 AND state = 'rejected' AND batch.batch > old.batch;

-- name: mark_unmerged: a merge was taken back
UPDATE merge SET unmerged_in = ? WHERE merge = ?;

-- name: unmerge_memory: the record that a merge absorbed is a memory
INSERT INTO memory (memory, id, match_scope, batch, record)
SELECT ?1, ?2, match_scope, ?3, merge.record FROM merge JOIN memory USING (memory) WHERE merge = ?4;

-- name: unmerge_superseded: fingerprints that a replacement had put aside lead by content again
UPDATE fingerprint SET superseded_by = NULL WHERE superseded_by = ?;

-- name: unmerge_closed: pairs that a replacement had closed open again
UPDATE review SET state = 'open', closed_by = NULL WHERE state = 'closed' AND closed_by = ?;

-- name: unmerge_decisions: pairs that were decided and are open again
UPDATE review SET decided_in = NULL WHERE state = 'open' AND decided_in IS NOT NULL;

-- name: unmerge_fingerprint: what led to a memory by a merge leads to one of its own
UPDATE fingerprint SET memory = ?, number = 0, founder = 1, id_hash = ? WHERE memory = ? AND number = ?;

-- name: unmerge_duplicates: records that were known by what is a memory of its own now
UPDATE duplicate SET memory = ?1
WHERE memory = ?2 AND digest = (SELECT digest FROM fingerprint WHERE memory = ?1 AND number = 0);

-- name: upgrade_1_detected: the reason for the format of a run gets a column
ALTER TABLE run ADD COLUMN detected TEXT;

-- name: upgrade_1_next_memory: which memories are younger than a merge; of old ones all may be
ALTER TABLE merge ADD COLUMN next_memory INTEGER NOT NULL DEFAULT 0;

-- name: upgrade_1_unmerged_in: the run that took a merge back
ALTER TABLE merge ADD COLUMN unmerged_in INTEGER REFERENCES run (run);

-- name: upgrade_1_moved: the keys of memories that reviews moved, which are not free
CREATE INDEX merge_moved ON merge (moved ->> '$.memory[0]') WHERE moved IS NOT NULL;

-- name: upgrade_1_with_rowid: fingerprints get rows that are appended, and read in the order in which they lie
CREATE TABLE fingerprint_2 (
    memory INTEGER NOT NULL REFERENCES memory (memory),
    number INTEGER NOT NULL DEFAULT 0,
    founder INTEGER NOT NULL DEFAULT 1,
    superseded_by INTEGER REFERENCES merge (merge),
    digest BLOB NOT NULL,
    content_hash BLOB NOT NULL,
    id_hash INTEGER NOT NULL DEFAULT 0,
    match_scope TEXT,
    tokens BLOB,
    PRIMARY KEY (memory, number)
);

-- name: upgrade_1_copy: all of them
INSERT INTO fingerprint_2 SELECT * FROM fingerprint ORDER BY memory, number;

-- name: upgrade_1_drop: the table without
DROP TABLE fingerprint;

-- name: upgrade_1_rename: and the name
ALTER TABLE fingerprint_2 RENAME TO fingerprint;
