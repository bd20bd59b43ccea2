-- The tables and views of a membatch store, schema version 2.
-- Statements end with a semicolon at the end of a line.

-- One row a fact about the store itself: versions, dedup scope, lease.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- One row a change of memory data: a load, retry, review, unmerge, undo or forget. `detected` is why it took its
-- sources for what `format` says.
CREATE TABLE run (
    run INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    parent INTEGER REFERENCES run (run),
    started_at TEXT NOT NULL,
    finished_at TEXT,
    format TEXT NOT NULL,
    sources TEXT NOT NULL,
    config TEXT NOT NULL,
    summary TEXT,
    detected TEXT
);

-- One row a transaction of a run: its statistics, and where the run goes on after it.
CREATE TABLE batch (
    batch INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (run),
    number INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    tally TEXT NOT NULL,
    UNIQUE (run, number)
);

-- One row a memory; its key is its age. `stated` keeps what the founder said where merging hides it.
CREATE TABLE memory (
    memory INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    match_scope TEXT NOT NULL,
    batch INTEGER NOT NULL REFERENCES batch (batch),
    stated TEXT,
    record TEXT NOT NULL
);

-- One row a merge: the absorbed record whole, why it was absorbed, and the way back. Memories from `next_memory`
-- on are younger than the merge; `unmerged_in` is the run that took it back. `moved` is what led to a
-- memory that an accepted review merged into this one.
CREATE TABLE merge (
    merge INTEGER PRIMARY KEY,
    memory INTEGER NOT NULL REFERENCES memory (memory),
    batch INTEGER NOT NULL REFERENCES batch (batch),
    step TEXT NOT NULL,
    shared INTEGER NOT NULL,
    union_size INTEGER NOT NULL,
    replaces INTEGER NOT NULL,
    id TEXT NOT NULL,
    record TEXT NOT NULL,
    source INTEGER,
    line INTEGER,
    byte_offset INTEGER,
    item_index INTEGER,
    rules TEXT NOT NULL,
    conflicts TEXT NOT NULL,
    guards TEXT NOT NULL,
    reverse TEXT NOT NULL,
    stated_before TEXT,
    moved TEXT,
    next_memory INTEGER NOT NULL,
    unmerged_in INTEGER REFERENCES run (run)
);
CREATE INDEX merge_memory ON merge (memory);
CREATE INDEX merge_moved ON merge (moved ->> '$.memory[0]') WHERE moved IS NOT NULL;

-- One row a record that leads to a memory: the founder's (number 0, or that of the merge by which it
-- became founder) and each absorbed one's (the number of its merge). A superseded row's digest still leads
-- to the memory, its content hash and tokens do not. Only founders have an id hash, a match scope and tokens;
-- these are null until a run needs them. (With a rowid, so that rows are appended: in the order of its key each
-- merge would write a page of its own.)
CREATE TABLE fingerprint (
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

-- One row a record that was known already.
CREATE TABLE duplicate (
    duplicate INTEGER PRIMARY KEY,
    memory INTEGER NOT NULL REFERENCES memory (memory),
    batch INTEGER NOT NULL REFERENCES batch (batch),
    id TEXT NOT NULL,
    digest BLOB NOT NULL,
    source INTEGER NOT NULL,
    line INTEGER NOT NULL,
    byte_offset INTEGER,
    item_index INTEGER NOT NULL
);

-- One row a pair of memories that a guard was unsure of.
CREATE TABLE review (
    review INTEGER PRIMARY KEY,
    older INTEGER NOT NULL REFERENCES memory (memory),
    younger INTEGER NOT NULL REFERENCES memory (memory),
    batch INTEGER NOT NULL REFERENCES batch (batch),
    step TEXT NOT NULL,
    shared INTEGER NOT NULL,
    union_size INTEGER NOT NULL,
    guards TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open',
    closed_by INTEGER REFERENCES merge (merge),
    decided_in INTEGER REFERENCES run (run)
);
CREATE INDEX review_older ON review (older);
CREATE INDEX review_younger ON review (younger);

-- One row a record that could not be stored, kept with all that is known of why.
CREATE TABLE reject (
    reject INTEGER PRIMARY KEY,
    batch INTEGER NOT NULL REFERENCES batch (batch),
    source INTEGER NOT NULL,
    line INTEGER NOT NULL,
    byte_offset INTEGER,
    item_index INTEGER NOT NULL,
    category TEXT NOT NULL,
    code TEXT NOT NULL,
    message TEXT NOT NULL,
    errors TEXT NOT NULL,
    exception TEXT,
    raw BLOB NOT NULL,
    raw_length INTEGER,
    raw_sha256 TEXT,
    format TEXT,
    digest BLOB,
    id TEXT,
    resolved_by INTEGER REFERENCES run (run)
);
CREATE INDEX reject_batch ON reject (batch);

-- Every field of a memory as a column.
CREATE VIEW memory_field AS
SELECT
    memory,
    id,
    match_scope,
    record ->> '$.summary' AS summary,
    record ->> '$.content' AS content,
    record ->> '$.kind' AS kind,
    record ->> '$.subject' AS subject,
    record -> '$.participants' AS participants,
    record -> '$.source_message_ids' AS source_message_ids,
    record ->> '$.scope.user_id' AS user_id,
    record ->> '$.scope.agent_id' AS agent_id,
    record ->> '$.scope.session_id' AS session_id,
    record ->> '$.scope.namespace' AS namespace,
    record ->> '$.confidence' AS confidence,
    record -> '$.emotional_context' AS emotional_context,
    record -> '$.relationship_dynamics' AS relationship_dynamics,
    record ->> '$.occurred_at' AS occurred_at,
    record ->> '$.valid_from' AS valid_from,
    record ->> '$.valid_until' AS valid_until,
    record ->> '$.created_at' AS created_at,
    record ->> '$.updated_at' AS updated_at,
    record ->> '$.extracted_at' AS extracted_at,
    record -> '$.tags' AS tags,
    record ->> '$.source.system' AS source_system,
    record ->> '$.source.external_id' AS source_external_id,
    record ->> '$.source.uri' AS source_uri,
    record -> '$.metadata' AS metadata
FROM memory;

-- Who takes part in which memory, in the order given.
CREATE VIEW memory_participant AS
SELECT
    memory.memory,
    part.key AS position,
    part.value ->> '$.id' AS participant_id,
    part.value ->> '$.name' AS name,
    part.value ->> '$.role' AS role,
    part.value -> '$.aliases' AS aliases,
    part.value -> '$.metadata' AS metadata
FROM memory, json_each(memory.record, '$.participants') AS part;

-- Each participant of each match scope once, with the number of memories.
CREATE VIEW participant AS
SELECT
    memory.match_scope,
    part.value ->> '$.id' AS participant_id,
    max(part.value ->> '$.name') AS name,
    count(*) AS memories
FROM memory, json_each(memory.record, '$.participants') AS part
GROUP BY memory.match_scope, part.value ->> '$.id';

-- Which messages a memory came from, in the order given.
CREATE VIEW memory_source AS
SELECT memory.memory, part.key AS position, part.value AS source_message_id
FROM memory, json_each(memory.record, '$.source_message_ids') AS part;

-- What was felt, for the memories that say so.
CREATE VIEW emotional_context AS
SELECT
    memory,
    record ->> '$.emotional_context.primary' AS "primary",
    record ->> '$.emotional_context.primary_raw' AS primary_raw,
    record -> '$.emotional_context.secondary' AS secondary,
    record ->> '$.emotional_context.intensity' AS intensity,
    record ->> '$.emotional_context.valence' AS valence,
    record -> '$.emotional_context.themes' AS themes,
    record -> '$.emotional_context.markers' AS markers,
    record -> '$.emotional_context.events' AS events,
    record -> '$.emotional_context.temporal' AS temporal
FROM memory
WHERE record -> '$.emotional_context' IS NOT NULL;

-- How the people relate, for the memories that say so.
CREATE VIEW relationship_dynamics AS
SELECT
    memory,
    record ->> '$.relationship_dynamics.pattern' AS pattern,
    record ->> '$.relationship_dynamics.quality' AS quality,
    record ->> '$.relationship_dynamics.strength' AS strength,
    record ->> '$.relationship_dynamics.balance' AS balance,
    record -> '$.relationship_dynamics.participants' AS participants
FROM memory
WHERE record -> '$.relationship_dynamics' IS NOT NULL;
