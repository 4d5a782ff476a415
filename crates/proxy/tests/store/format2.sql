-- A state file of format 2, closed well.
CREATE TABLE job_id (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    mark INTEGER NOT NULL
) STRICT;
CREATE TABLE worker (
    route TEXT NOT NULL,
    name TEXT NOT NULL,
    difficulty REAL,
    slot INTEGER,
    profile TEXT,
    last_seen INTEGER NOT NULL,
    PRIMARY KEY (route, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE rig_firmware (
    route TEXT NOT NULL,
    worker TEXT NOT NULL,
    agent TEXT NOT NULL,
    address TEXT,
    alone TEXT NOT NULL,
    set_extranonce INTEGER,
    shares INTEGER NOT NULL,
    sizes INTEGER NOT NULL,
    seen INTEGER NOT NULL,
    PRIMARY KEY (route, worker)
) STRICT, WITHOUT ROWID;
CREATE TABLE habit (
    route TEXT NOT NULL,
    server TEXT NOT NULL,
    habit TEXT NOT NULL,
    answer TEXT NOT NULL,
    learnt INTEGER NOT NULL,
    PRIMARY KEY (route, server, habit)
) STRICT, WITHOUT ROWID;
PRAGMA user_version = 2;
PRAGMA application_id = 0x6f726570;
PRAGMA journal_mode = WAL;

INSERT INTO job_id VALUES (1, 1800200000);
INSERT INTO worker VALUES ('hns', 'rig1', 64.5, -1, 'ASIC/1.0', 1800000000);
INSERT INTO worker VALUES ('hns', 'rig2', NULL, NULL, NULL, 1800000000);
INSERT INTO rig_firmware VALUES
    ('hns', 'rig1', 'ASIC/1.0', '192.0.2.7', 'ignores_extranonce2_size', 0, 0, 1, 1800000000);
INSERT INTO habit VALUES ('hns', 'pool.example:3008', 'split', 'wide', 1800000000);
