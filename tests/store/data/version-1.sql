BEGIN TRANSACTION;
CREATE TABLE batch (
    batch INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES run (run),
    number INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    tally TEXT NOT NULL,
    UNIQUE (run, number)
);
INSERT INTO "batch" VALUES(1,1,1,'{"source":0,"line":7,"offset":327,"index":0}','{"counts":{"read":6,"valid":5,"inserted":2,"duplicates":1,"merged":1,"held":1,"rejected":1,"warnings":0},"by_category":{"validation":1},"by_code":{"summary-blank":1},"by_field":{"summary":1},"patterns":{"summary-blank summary":1},"by_step":{"hash":1,"digest":1},"guard_unsure":{"negation":1},"score_histogram":{"19":1,"16":1},"bytes_saved":116,"read_bytes":321,"size":6,"seconds":0.33104347300013615,"stages":{"read":0.0018274180001753848,"decode":0.19958644999996977,"match":0.029155331999845657,"merge":0.0004311309999138757},"rss_bytes":167632896,"cpu_percent":68.9}');
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
INSERT INTO "duplicate" VALUES(1,2,1,'c',X'947342CF7940FD2EA8606F880DB8F9EE',0,6,282,0);
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
) WITHOUT ROWID;
INSERT INTO "fingerprint" VALUES(1,0,1,NULL,X'68F4D075A2F1BC664A3656D750A71E39',X'8C0952168D5B80A1A9A2F0DB61CD37C8',-1434843530174675488,'[null,null]',X'E48DAAC4B84C64B8B9B986C0891612CCF74B6485796424E22A7EB04C6A3C18FA');
INSERT INTO "fingerprint" VALUES(1,1,0,NULL,X'5ACCD4CF27818C0E8AB865E964F5D0F4',X'8C0952168D5B80A1A9A2F0DB61CD37C8',0,NULL,NULL);
INSERT INTO "fingerprint" VALUES(2,0,1,NULL,X'947342CF7940FD2EA8606F880DB8F9EE',X'F4759DE1BFE868DB16CD4B1CC8019F67',-4483078804801833244,'[null,null]',X'3DA96B3FFAC9AA0B617C49C9336F4E2774FFA6687BF5D95F5F231ECB699FAB6FE798CEBC682F5198');
INSERT INTO "fingerprint" VALUES(3,0,1,NULL,X'69AAE69C43B90C90862551C15255BAA9',X'6D1C383CE9F4A0B219FBABA31167B171',-3125985652686634981,'[null,null]',X'3DA96B3FFAC9AA0B617C49C9336F4E2774FFA6687BF5D95F5F231ECB699FAB6F');
CREATE TABLE memory (
    memory INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    match_scope TEXT NOT NULL,
    batch INTEGER NOT NULL REFERENCES batch (batch),
    stated TEXT,
    record TEXT NOT NULL
);
INSERT INTO "memory" VALUES(1,'a','[null,null]',1,'{"confidence":0.9}','{"confidence":0.9,"participants":[{"id":"anna"}],"summary":"Anna moved to Oslo."}');
INSERT INTO "memory" VALUES(2,'c','[null,null]',1,NULL,'{"summary":"Tom does not love tea"}');
INSERT INTO "memory" VALUES(3,'d','[null,null]',1,NULL,'{"summary":"Tom does love tea"}');
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
    moved TEXT
);
INSERT INTO "merge" VALUES(1,1,1,'hash',1,1,0,'b','{"confidence":0.9,"participants":[{"id":"anna"}],"summary":"Anna moved to Oslo."}',0,2,90,0,'["summary:confident","confidence:max"]','[]','{}','[["set",["confidence"],0.5],["set",["summary"],"Anna moved to Oslo"]]',NULL,NULL);
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "meta" VALUES('dedup_scope','["user_id", "namespace"]');
INSERT INTO "meta" VALUES('hash_version','1');
INSERT INTO "meta" VALUES('lease','1');
INSERT INTO "meta" VALUES('lease_holder','process 1 on host since then');
INSERT INTO "meta" VALUES('schema_version','1');
INSERT INTO "meta" VALUES('unicode_version','14.0.0');
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
INSERT INTO "reject" VALUES(1,1,0,5,267,0,'validation','summary-blank','/summary: is blank','[{"advice":"Write the text, or leave the record out.","code":"summary-blank","expected":"a text of 1 to 50,000 characters, not blank","message":"is blank","pointer":"/summary","value":"\"\""}]',NULL,X'7B2273756D6D617279223A22227D',NULL,NULL,NULL,NULL,NULL,NULL);
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
INSERT INTO "review" VALUES(1,2,3,1,'similar',4,5,'{"negation":"unsure"}','open',NULL,NULL);
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
    summary TEXT
);
INSERT INTO "run" VALUES(1,'load','done',NULL,'2026-11-24T09:04:49.034Z','2026-11-24T09:04:49.336Z','membatch','{"files":[{"path":"in.jsonl","size":327,"modified_ns":1795511064897830531,"sha256_of_ends":"52e44ea57f6d6d2d9f6b0833baf0a7e2f8d3b90ca28d9490b4e4a3401b509acf","rest":null}],"first_memory":1}','{"store":"sqlite:///memories.db","format":null,"redact":false,"batch":{"size":"auto","min":100,"max":50000,"workers":1,"isolation":"record","memory_limit":"80%"},"dedup":{"strategy":"similar","threshold":"0.8","scope":["user_id","namespace"],"against":"store","same_id":"newer","guards":["subject","participants","when","numbers","names","symbols","substitution","order","negation","valence","limits"],"review_from":null},"merge":{},"validation":{"timing":"inline"},"tolerance":{"max_errors":null,"max_error_rate":0.5,"min_sample":1000,"by_category":{}},"source":{"max_record_bytes":16777216,"max_depth":100},"log":{"level":"info","format":"text"}}','{"seconds":0.39660625600026833,"stages":{"read":9.854999916569795e-6,"write":0.006778474000384449,"commit":0.0008556429997952364,"match":0.0038492859998768836},"resources":{"cpu_seconds":0.255,"cpu_percent":64.3,"peak_rss_bytes":168894464,"written_bytes":221184,"gc_seconds":null}}');
CREATE INDEX merge_memory ON merge (memory);
CREATE INDEX review_older ON review (older);
CREATE INDEX review_younger ON review (younger);
CREATE INDEX reject_batch ON reject (batch);
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
CREATE VIEW participant AS
SELECT
    memory.match_scope,
    part.value ->> '$.id' AS participant_id,
    max(part.value ->> '$.name') AS name,
    count(*) AS memories
FROM memory, json_each(memory.record, '$.participants') AS part
GROUP BY memory.match_scope, part.value ->> '$.id';
CREATE VIEW memory_source AS
SELECT memory.memory, part.key AS position, part.value AS source_message_id
FROM memory, json_each(memory.record, '$.source_message_ids') AS part;
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
COMMIT;
