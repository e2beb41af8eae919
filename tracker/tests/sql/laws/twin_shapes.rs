//! Groups of tables with partitions, and of tables that inherit from others.

use super::twin_schema::Group;

/// A partitioned table with partitions that are partitioned, and tables that it refers to and that refer to it.
pub(super) const PARTITIONS: Group = Group {
    schema: "
        CREATE TABLE area (aid int PRIMARY KEY, label text);
        CREATE TABLE spot (region text, sid int, area int DEFAULT 1 REFERENCES area ON UPDATE {update} ON DELETE {delete} {check}, v int, PRIMARY KEY (region, sid))
            PARTITION BY LIST (region);
        CREATE TABLE spot_ab PARTITION OF spot FOR VALUES IN ('a', 'b') PARTITION BY RANGE (sid);
        CREATE TABLE spot_ab_few PARTITION OF spot_ab FOR VALUES FROM (MINVALUE) TO (4);
        CREATE TABLE spot_ab_many PARTITION OF spot_ab FOR VALUES FROM (4) TO (MAXVALUE);
        CREATE TABLE spot_c (gone int, v int, sid int NOT NULL, area int, region text NOT NULL);
        ALTER TABLE spot_c DROP COLUMN gone;
        ALTER TABLE spot ATTACH PARTITION spot_c FOR VALUES IN ('c');
        CREATE TABLE spot_rest PARTITION OF spot DEFAULT;
        CREATE TABLE visit (vid int PRIMARY KEY, reg text, number int, note text,
            FOREIGN KEY (reg, number) REFERENCES spot ON UPDATE {update2} ON DELETE {delete2} {check2});
        INSERT INTO area VALUES (1, 'x'), (2, 'y');
        INSERT INTO spot VALUES ('a', 1, 1, 1), ('a', 5, 1, 2), ('b', 2, 2, 3), ('c', 1, NULL, 4), ('d', 3, 2, 5);
        INSERT INTO visit VALUES (1, 'a', 1, 'n'), (2, 'c', 1, 'm');",
    is_exact: true,
    statements: &[
        (2, "INSERT INTO area VALUES ({a}, '{s}'), ({b}, '{t}') ON CONFLICT (aid) DO UPDATE SET label = excluded.label"),
        (2, "UPDATE area SET aid = {b} WHERE aid = {a}"),
        (1, "DELETE FROM area WHERE aid = {a}"),
        (3, "INSERT INTO spot VALUES ('{s}', {a}, {b}, {v})"),
        (2, "INSERT INTO spot SELECT '{s}', g, NULL, {v} FROM generate_series({a}, {a} + {b}) g ON CONFLICT (region, sid) DO UPDATE SET v = excluded.v + spot.v"),
        (1, "INSERT INTO spot_c (region, sid, v) VALUES ('c', {a}, {v}) ON CONFLICT DO NOTHING"),
        (3, "UPDATE spot SET v = v + {v} WHERE sid <= {a}"),
        (2, "UPDATE spot SET region = '{t}' WHERE region = '{s}'"),
        (2, "UPDATE spot SET sid = {b} WHERE sid = {a}"),
        (1, "UPDATE spot SET sid = sid + 3, v = {v} WHERE region = '{s}'"),
        (1, "UPDATE spot_ab SET sid = 8 - sid"),
        (2, "UPDATE spot SET area = {a} WHERE region = '{s}'"),
        (2, "DELETE FROM spot WHERE region = '{s}' OR sid = {a}"),
        (1, "DELETE FROM spot_ab_few"),
        (2, "MERGE INTO spot USING (VALUES ('{s}', {a}), ('{t}', {b})) s (r, k) ON region = s.r AND sid = s.k WHEN MATCHED AND v > {v} THEN DELETE \
             WHEN MATCHED THEN UPDATE SET v = {v} WHEN NOT MATCHED THEN INSERT VALUES (s.r, s.k, NULL, {v})"),
        (2, "MERGE INTO spot USING (VALUES ('{s}', '{t}')) s (r, q) ON region = s.r WHEN MATCHED AND sid > {a} THEN UPDATE SET region = s.q, v = {v} \
             WHEN MATCHED AND sid = {b} THEN DELETE WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES (s.r, {c}, NULL, {v})"),
        (1, "TRUNCATE visit"),
        (1, "TRUNCATE spot CASCADE"),
        (1, "TRUNCATE spot_rest CASCADE"),
        (3, "INSERT INTO visit VALUES ({a}, '{s}', {b}, 'v{v}')"),
        (2, "INSERT INTO visit SELECT row_number() OVER (ORDER BY region, sid) + {a}, region, sid, '{s}' FROM spot ON CONFLICT (vid) DO NOTHING"),
        (2, "UPDATE visit SET note = '{v}' WHERE vid >= {a}"),
        (1, "UPDATE visit SET vid = vid + {a} WHERE vid = {b}"),
        (2, "DELETE FROM visit WHERE vid = {a} OR reg = '{s}'"),
        (1, "WITH gone AS (DELETE FROM visit WHERE vid = {a} RETURNING *) UPDATE spot SET v = {v} FROM gone WHERE spot.sid = gone.number"),
        (1, "SET CONSTRAINTS ALL DEFERRED"),
    ],
    definitions: &[
        (2, "ALTER TABLE spot RENAME COLUMN sid TO sid_{v}"),
        (2, "ALTER TABLE spot RENAME TO spot_{v}"),
        (1, "ALTER TABLE visit RENAME COLUMN vid TO vid_{v}"),
        (1, "ALTER TABLE spot ADD COLUMN more_{v} int DEFAULT {v}"),
        (1, "ALTER TABLE visit ADD COLUMN more_{v} text DEFAULT 'x'"),
        (1, "ALTER TABLE spot ALTER COLUMN v TYPE bigint"),
        (1, "ALTER TABLE visit ALTER COLUMN vid TYPE bigint"),
        (1, "ALTER TABLE area ALTER COLUMN aid TYPE bigint"),
        (2, "CREATE TABLE spot_new PARTITION OF spot FOR VALUES IN ('z')"),
        (1, "ALTER TABLE spot DETACH PARTITION spot_new"),
        (1, "ALTER TABLE spot ATTACH PARTITION spot_new FOR VALUES IN ('z')"),
        (1, "DROP TABLE spot_new"),
    ],
};

/// Partitions without foreign keys, one of them with another order of columns, and rows that move between them.
pub(super) const MOVES: Group = Group {
    schema: "
        CREATE TABLE event (day int, eid int, note text, PRIMARY KEY (eid, day)) PARTITION BY RANGE (day);
        CREATE TABLE event_old PARTITION OF event FOR VALUES FROM (MINVALUE) TO (3);
        CREATE TABLE event_mid PARTITION OF event FOR VALUES FROM (3) TO (5) PARTITION BY HASH (eid);
        CREATE TABLE event_mid_0 PARTITION OF event_mid FOR VALUES WITH (MODULUS 2, REMAINDER 0);
        CREATE TABLE event_mid_1 (note text, gone int, eid int NOT NULL, day int NOT NULL);
        ALTER TABLE event_mid_1 DROP COLUMN gone;
        ALTER TABLE event_mid ATTACH PARTITION event_mid_1 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
        CREATE TABLE event_rest PARTITION OF event DEFAULT;
        INSERT INTO event SELECT g, g, 'n' || g FROM generate_series(1, 6) g;",
    is_exact: true,
    statements: &[
        (3, "INSERT INTO event VALUES ({a}, {b}, '{s}'), ({b}, {a}, '{t}') ON CONFLICT (eid, day) DO UPDATE SET note = event.note || excluded.note"),
        (2, "INSERT INTO event SELECT {a}, g, '{s}' FROM generate_series({b}, {b} + {c}) g ON CONFLICT DO NOTHING"),
        (3, "UPDATE event SET day = {b} WHERE day = {a}"),
        (2, "UPDATE event SET day = 7 - day, note = '{s}'"),
        (2, "UPDATE event SET eid = eid + 1 WHERE day = {a}"),
        (2, "UPDATE event SET eid = {a}, day = {b} WHERE eid = {c}"),
        (2, "UPDATE event SET note = note || '{s}' WHERE eid <= {a}"),
        (1, "UPDATE event_mid SET eid = eid + 1"),
        (2, "DELETE FROM event WHERE eid = {a} OR day = {b}"),
        (2, "MERGE INTO event USING (VALUES ({a}, {b}), ({b}, {c}), ({c}, {a})) s (k, d) ON eid = s.k WHEN MATCHED AND day = s.d THEN DELETE \
             WHEN MATCHED AND day > {v} % 7 THEN UPDATE SET day = s.d WHEN MATCHED THEN UPDATE SET note = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (s.d, s.k, 'm')"),
        (1, "WITH d AS (DELETE FROM event WHERE day <= {a} RETURNING *) INSERT INTO event SELECT day, eid, 'again' FROM d LIMIT 1"),
        (1, "TRUNCATE event_mid"),
    ],
    definitions: &[
        (1, "ALTER TABLE event RENAME COLUMN day TO day_{v}"),
        (1, "ALTER TABLE event RENAME COLUMN eid TO eid_{v}"),
        (1, "ALTER TABLE event RENAME TO event_{v}"),
        (1, "ALTER TABLE event ADD COLUMN more_{v} int DEFAULT {v}"),
        (1, "ALTER TABLE event ALTER COLUMN note TYPE varchar(200)"),
    ],
};

/// Tables that inherit from others; rows are changed through all of them.
pub(super) const INHERITANCE: Group = Group {
    schema: "
        CREATE TABLE base (bid int PRIMARY KEY, v int);
        CREATE TABLE child (extra text, PRIMARY KEY (bid)) INHERITS (base);
        CREATE TABLE grandchild (more int, PRIMARY KEY (bid)) INHERITS (child);
        CREATE TABLE ticket (tid int PRIMARY KEY, base int DEFAULT 1 REFERENCES base ON UPDATE {update} ON DELETE {delete} {check});
        INSERT INTO base VALUES (1, 1), (2, 2);
        INSERT INTO child VALUES (1, 1, 'a'), (3, 3, 'b');
        INSERT INTO grandchild VALUES (1, 1, 'c', 1), (4, 4, 'd', 4);
        INSERT INTO ticket VALUES (1, 1), (2, 2);",
    is_exact: true,
    statements: &[
        (3, "INSERT INTO base VALUES ({a}, {v})"),
        (2, "INSERT INTO child VALUES ({a}, {v}, '{s}'), ({b}, {v}, '{t}')"),
        (2, "INSERT INTO child VALUES ({a}, {v}, '{s}') ON CONFLICT (bid) DO UPDATE SET v = excluded.v"),
        (2, "INSERT INTO grandchild VALUES ({a}, {v}, '{s}', {b})"),
        (3, "UPDATE base SET v = v + {v} WHERE bid <= {a}"),
        (2, "UPDATE base SET bid = {b} WHERE bid = {a}"),
        (1, "UPDATE base SET bid = bid + 10 WHERE bid > {a}"),
        (1, "UPDATE base SET bid = bid - 10, v = {v} WHERE bid > 10"),
        (1, "UPDATE ONLY base SET v = {v}"),
        (2, "UPDATE child SET extra = '{s}', v = {v} WHERE bid >= {a}"),
        (2, "UPDATE child SET bid = {b}, extra = '{t}' WHERE bid = {a}"),
        (2, "DELETE FROM base WHERE bid = {a}"),
        (1, "DELETE FROM child WHERE bid IN ({a}, {b})"),
        (1, "DELETE FROM ONLY base WHERE v > {v}"),
        (1, "TRUNCATE child"),
        (1, "TRUNCATE base CASCADE"),
        (2, "MERGE INTO base USING (VALUES ({a}, {v})) s (k, w) ON bid = s.k WHEN MATCHED AND v > {v} THEN DELETE \
             WHEN MATCHED THEN UPDATE SET v = s.w WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.w)"),
        (2, "INSERT INTO ticket VALUES ({a}, {b}) ON CONFLICT (tid) DO UPDATE SET base = excluded.base"),
        (1, "WITH d AS (DELETE FROM base WHERE bid = {a} RETURNING *) INSERT INTO child SELECT bid + 1, v, 'moved' FROM d"),
        (1, "WITH d AS (DELETE FROM child WHERE bid >= {a} RETURNING *) INSERT INTO child SELECT bid, v, 'again' FROM d LIMIT 1"),
    ],
    definitions: &[
        (2, "ALTER TABLE base RENAME COLUMN bid TO bid_{v}"),
        (1, "ALTER TABLE base ADD COLUMN added_{v} int DEFAULT {v}"),
        (1, "ALTER TABLE base ALTER COLUMN v TYPE bigint"),
        (1, "ALTER TABLE base ALTER COLUMN bid TYPE bigint"),
        (1, "ALTER TABLE child RENAME TO child_{v}"),
        (1, "ALTER TABLE grandchild NO INHERIT child"),
        (1, "ALTER TABLE grandchild INHERIT child"),
    ],
};
