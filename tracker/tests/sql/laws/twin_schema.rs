//! Groups of tables, what is done to them, and how they are defined anew.

use super::twin_shapes::{INHERITANCE, MOVES, PARTITIONS};

/// Some tables that refer to each other. In the texts stand holes that [`history`](super::twin_statements::history) fills.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) schema: &'static str,
    /// Whether an undo gives back exactly what was there.
    pub(super) is_exact: bool,
    pub(super) statements: &'static [(u32, &'static str)],
    pub(super) definitions: &'static [(u32, &'static str)],
}

pub(super) const GROUPS: &[Group] = &[TREE, CIRCLE, PARTITIONS, MOVES, INHERITANCE, KEYS, TRIGGERS];

/// Rows that refer to rows of their own table, and rows of which the key is such a reference.
const TREE: Group = Group {
    schema: "
        CREATE TABLE node (nid int PRIMARY KEY, parent int DEFAULT 1 REFERENCES node ON UPDATE {update} ON DELETE {delete} {check}, v int);
        CREATE TABLE leaf (root int DEFAULT 1 REFERENCES node ON UPDATE {update2} ON DELETE {delete2} {check2}, n int, note text, PRIMARY KEY (n, root));
        INSERT INTO node VALUES (1, NULL, 1), (2, 1, 2), (3, 1, 3), (4, 2, 4);
        INSERT INTO leaf VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, NULL);",
    is_exact: true,
    statements: &[
        (3, "INSERT INTO node VALUES ({a}, {b}, {v})"),
        (2, "INSERT INTO node VALUES ({a}, {a}, {v}), ({b}, {a}, {v}), ({c}, {b}, {v})"),
        (2, "INSERT INTO node SELECT g, g - 1, {v} FROM generate_series({a}, {a} + {b}) g ON CONFLICT (nid) DO UPDATE SET v = excluded.v, parent = excluded.parent"),
        (2, "INSERT INTO node VALUES ({a}, NULL, {v}) ON CONFLICT DO NOTHING"),
        (3, "UPDATE node SET v = v + {v} WHERE nid <= {a}"),
        (3, "UPDATE node SET parent = {b} WHERE nid = {a}"),
        (2, "UPDATE node SET parent = NULL, v = {v} WHERE nid IN ({a}, {b})"),
        (2, "UPDATE node SET nid = {b} WHERE nid = {a}"),
        (1, "UPDATE node SET nid = nid + 10 WHERE nid >= {a}"),
        (1, "UPDATE node SET nid = nid - 10, parent = {b} WHERE nid > {a}"),
        (2, "DELETE FROM node WHERE nid = {a}"),
        (1, "DELETE FROM node WHERE parent = {a} OR v > {v}"),
        (2, "MERGE INTO node USING (VALUES ({a}, {b}), ({c}, {v})) s (k, p) ON nid = s.k WHEN MATCHED AND v > {v} THEN DELETE \
             WHEN MATCHED THEN UPDATE SET v = s.p WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.p, {v})"),
        (1, "TRUNCATE node, leaf"),
        (1, "TRUNCATE leaf"),
        (1, "WITH d AS (DELETE FROM leaf WHERE n = {a} RETURNING *) UPDATE node SET v = {v} FROM d WHERE nid = d.root"),
        (1, "WITH i AS (INSERT INTO node VALUES ({a}, {b}, {v}) RETURNING nid) INSERT INTO leaf SELECT nid, {c}, 'new' FROM i"),
        (3, "INSERT INTO leaf VALUES ({a}, {b}, '{s}')"),
        (2, "INSERT INTO leaf SELECT nid, {b}, '{s}' FROM node ON CONFLICT (n, root) DO UPDATE SET note = leaf.note || '{s}'"),
        (2, "UPDATE leaf SET note = '{s}{v}' WHERE root = {a}"),
        (2, "UPDATE leaf SET n = n + 1, note = '{s}' WHERE n >= {a}"),
        (1, "UPDATE leaf SET root = {b} WHERE n = {a}"),
        (2, "DELETE FROM leaf WHERE root = {a} OR n = {b}"),
        (1, "SET CONSTRAINTS ALL DEFERRED"),
        (1, "SET CONSTRAINTS ALL IMMEDIATE"),
    ],
    definitions: &[
        (2, "ALTER TABLE node RENAME COLUMN nid TO nid_{v}"),
        (2, "ALTER TABLE leaf RENAME COLUMN root TO root_{v}"),
        (2, "ALTER TABLE leaf RENAME TO leaf_{v}"),
        (1, "ALTER TABLE node RENAME TO node_{v}"),
        (1, "ALTER TABLE node ADD COLUMN more_{v} int DEFAULT {v}"),
        (1, "ALTER TABLE leaf ADD COLUMN more_{v} text"),
        (1, "ALTER TABLE node ALTER COLUMN v TYPE bigint"),
        (1, "ALTER TABLE leaf ALTER COLUMN n TYPE bigint"),
        (1, "ALTER TABLE node ALTER COLUMN nid TYPE bigint"),
    ],
};

/// Tables that refer to each other in a circle, and one whose key are two such references.
const CIRCLE: Group = Group {
    schema: "
        CREATE TABLE head (hid int PRIMARY KEY, tail int, v int);
        CREATE TABLE tail (tid int PRIMARY KEY, head int DEFAULT 1 REFERENCES head ON UPDATE {update} ON DELETE {delete} {check}, v int);
        ALTER TABLE head ADD FOREIGN KEY (tail) REFERENCES tail ON UPDATE {update2} ON DELETE {delete2} {check2};
        CREATE TABLE pair (h int REFERENCES head ON UPDATE CASCADE ON DELETE {delete2}, t int REFERENCES tail ON UPDATE {update} ON DELETE CASCADE, v int, PRIMARY KEY (t, h));
        INSERT INTO head VALUES (1, NULL, 1), (2, NULL, 2), (3, NULL, 3);
        INSERT INTO tail VALUES (1, 1, 1), (2, 1, 2), (3, 3, 3);
        UPDATE head SET tail = hid;
        INSERT INTO pair VALUES (1, 1, 1), (1, 2, 2), (2, 1, 3);",
    is_exact: true,
    statements: &[
        (3, "INSERT INTO head VALUES ({a}, {b}, {v}), ({b}, NULL, {v}) ON CONFLICT (hid) DO UPDATE SET v = excluded.v"),
        (3, "INSERT INTO tail VALUES ({a}, {b}, {v})"),
        (2, "WITH h AS (INSERT INTO head VALUES ({a}, {b}, {v})) INSERT INTO tail VALUES ({b}, {a}, {v})"),
        (2, "UPDATE head SET hid = {b} WHERE hid = {a}"),
        (2, "UPDATE tail SET tid = {b} WHERE tid = {a}"),
        (1, "UPDATE head SET hid = hid + 10"),
        (1, "UPDATE tail SET tid = tid + 10, v = v + 1 WHERE tid > {a}"),
        (1, "UPDATE head SET hid = hid - 10 WHERE hid > 10"),
        (1, "WITH t AS (UPDATE tail SET tid = tid + 10 WHERE tid = {a}) UPDATE head SET hid = hid + 10 WHERE hid = {b}"),
        (2, "UPDATE head SET tail = {b}, v = {v} WHERE hid <= {a}"),
        (2, "UPDATE tail SET head = NULL WHERE tid = {a}"),
        (2, "DELETE FROM head WHERE hid = {a}"),
        (2, "DELETE FROM tail WHERE tid = {a} OR v > {v}"),
        (3, "INSERT INTO pair VALUES ({a}, {b}, {v}), ({b}, {a}, {v}) ON CONFLICT (h, t) DO UPDATE SET v = pair.v + 1"),
        (2, "UPDATE pair SET h = {a} WHERE t = {b}"),
        (1, "UPDATE pair SET v = {v}"),
        (1, "DELETE FROM pair WHERE h = {a}"),
        (1, "TRUNCATE pair"),
        (1, "TRUNCATE head, tail, pair"),
        (1, "SET CONSTRAINTS ALL DEFERRED"),
    ],
    definitions: &[
        (1, "ALTER TABLE head RENAME COLUMN hid TO hid_{v}"),
        (1, "ALTER TABLE pair RENAME COLUMN t TO t_{v}"),
        (1, "ALTER TABLE tail RENAME TO tail_{v}"),
        (1, "ALTER TABLE pair ALTER COLUMN h TYPE bigint"),
        (1, "ALTER TABLE pair ADD COLUMN more_{v} int DEFAULT 1"),
    ],
};

/// Keys that are compared otherwise than byte by byte, that may be there twice for a while, and other constraints.
const KEYS: Group = Group {
    schema: "
        CREATE TYPE mood AS ENUM ('low', 'mid', 'high');
        CREATE TABLE login (name text COLLATE public.ci PRIMARY KEY, v int, twice int GENERATED ALWAYS AS (v * 2) STORED);
        CREATE TABLE pick (m mood, n int, note text, active bool DEFAULT false, PRIMARY KEY (m, n) {check});
        CREATE UNIQUE INDEX ON pick (note) WHERE active;
        CREATE TABLE stay (sid int PRIMARY KEY {check2}, span int4range, EXCLUDE USING gist (span WITH &&) {check});
        CREATE TABLE badge (no int PRIMARY KEY, login text COLLATE public.ci UNIQUE REFERENCES login ON UPDATE {update} ON DELETE {delete});
        INSERT INTO login VALUES ('a', 1), ('B', 2);
        INSERT INTO pick VALUES ('low', 1, 'x', true), ('low', 2, 'x', false), ('high', 1, NULL, true);
        INSERT INTO stay VALUES (1, '[1,3)'), (2, '[5,6)');
        INSERT INTO badge VALUES (1, 'a'), (2, 'b');",
    is_exact: true,
    statements: &[
        (3, "INSERT INTO login VALUES ('{s}', {v})"),
        (2, "INSERT INTO login VALUES ('{s}', {v}), ('{t}', {a}) ON CONFLICT (name) DO UPDATE SET v = excluded.v, name = excluded.name"),
        (2, "UPDATE login SET name = '{t}' WHERE name = '{s}'"),
        (1, "UPDATE login SET name = upper(name), v = v + 1"),
        (2, "UPDATE login SET v = {v} WHERE name > '{s}'"),
        (2, "DELETE FROM login WHERE name = '{s}'"),
        (1, "WITH d AS (DELETE FROM login WHERE name = '{s}' RETURNING *) UPDATE login SET v = d.v FROM d WHERE login.name = '{t}'"),
        (3, "INSERT INTO pick VALUES ('{e}', {a}, '{s}', {b} > 3)"),
        (2, "INSERT INTO pick VALUES ('{e}', {a}, '{s}'), ('{f}', {b}, '{t}')"),
        (2, "UPDATE pick SET n = n % 4 + 1"),
        (2, "UPDATE pick SET n = CASE n WHEN {a} THEN {b} ELSE {a} END, note = note || '{s}' WHERE n IN ({a}, {b})"),
        (2, "UPDATE pick SET m = '{f}' WHERE m = '{e}'"),
        (2, "UPDATE pick SET note = '{s}', active = NOT active WHERE n = {a}"),
        (2, "DELETE FROM pick WHERE m = '{e}' AND n >= {a}"),
        (1, "MERGE INTO pick USING (VALUES ('{e}'::mood, {a}), ('{f}', {b})) s (k, i) ON m = s.k AND n = s.i WHEN MATCHED AND active THEN DELETE \
             WHEN MATCHED THEN UPDATE SET note = 'm{v}' WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.i, 'i{v}')"),
        (2, "INSERT INTO stay VALUES ({a}, int4range({b} * 2, {b} * 2 + {c}))"),
        (1, "INSERT INTO stay SELECT {a} + g, int4range(g * 10, g * 10 + {b}) FROM generate_series(1, {c}) g ON CONFLICT DO NOTHING"),
        (2, "UPDATE stay SET span = int4range(lower(span) + {a}, upper(span) + {a})"),
        (1, "UPDATE stay SET sid = {b} WHERE sid = {a}"),
        (1, "UPDATE stay SET sid = sid + 1"),
        (1, "DELETE FROM stay WHERE sid = {a} OR span @> {b}"),
        (2, "INSERT INTO badge VALUES ({a}, '{s}')"),
        (1, "UPDATE badge SET login = '{t}' WHERE no = {a}"),
        (1, "UPDATE badge SET no = no + {a} WHERE no = {b}"),
        (1, "DELETE FROM badge WHERE no = {a}"),
        (1, "WITH d AS (DELETE FROM pick WHERE m = '{e}' RETURNING *) INSERT INTO pick SELECT m, n, '{s}', active FROM d LIMIT 1"),
        (1, "WITH u AS (UPDATE pick SET n = n + 10 WHERE m = '{e}' RETURNING m, n - 10 AS n) INSERT INTO pick SELECT m, n, 'new' FROM u LIMIT 1"),
        (1, "WITH d AS (DELETE FROM stay WHERE sid < {a} RETURNING *), i AS (INSERT INTO stay SELECT sid, int4range({v} + 100, {v} + 101) FROM d LIMIT 1) \
             UPDATE stay SET sid = sid + 20 WHERE sid = {b}"),
        (1, "TRUNCATE pick"),
        (1, "TRUNCATE login CASCADE"),
        (1, "SET CONSTRAINTS ALL DEFERRED"),
    ],
    definitions: &[
        (1, "ALTER TABLE login RENAME COLUMN name TO name_{v}"),
        (1, "ALTER TABLE pick RENAME COLUMN n TO n_{v}"),
        (1, "ALTER TABLE pick RENAME TO pick_{v}"),
        (1, "ALTER TABLE pick ALTER COLUMN n TYPE bigint"),
        (1, "ALTER TABLE stay ALTER COLUMN sid TYPE bigint"),
        (1, "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'top'"),
        (1, "ALTER TABLE pick ADD COLUMN more_{v} mood DEFAULT 'mid'"),
        (1, "ALTER TABLE login ADD COLUMN more_{v} int GENERATED ALWAYS AS (length(name)) STORED"),
        (1, "ALTER TABLE login ALTER COLUMN v TYPE bigint"),
    ],
};

/// Triggers of the application that change, swallow and add rows, of their own table and of others.
const TRIGGERS: Group = Group {
    schema: "
        CREATE TABLE stock (kid int PRIMARY KEY, qty int, total int DEFAULT 0);
        CREATE TABLE part (stock int DEFAULT 1 REFERENCES stock ON UPDATE {update} ON DELETE {delete} {check}, n int, qty int, PRIMARY KEY (n));
        CREATE TABLE journal (jid int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, what text, kid int);
        CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $f$
        BEGIN
            INSERT INTO journal (what, kid) VALUES (TG_OP, CASE TG_OP WHEN 'DELETE' THEN OLD.qty ELSE NEW.qty END);
            RETURN NULL;
        END $f$;
        CREATE FUNCTION adjust() RETURNS trigger LANGUAGE plpgsql AS $f$
        BEGIN
            IF NEW.qty > 90 THEN RETURN NULL; END IF;
            IF NEW.qty % 7 = 0 THEN NEW.n := NEW.n + 10; END IF;
            IF NEW.qty % 5 = 0 THEN UPDATE stock SET total = total + 1 WHERE kid = NEW.stock; END IF;
            RETURN NEW;
        END $f$;
        CREATE FUNCTION spread() RETURNS trigger LANGUAGE plpgsql AS $f$
        BEGIN
            IF pg_trigger_depth() > 3 THEN RETURN NULL; END IF;
            UPDATE stock SET total = (SELECT coalesce(sum(qty), 0) FROM part p WHERE p.stock = NEW.stock) WHERE kid = NEW.stock;
            IF NEW.qty % 3 = 0 THEN DELETE FROM part WHERE n = NEW.n + 1; END IF;
            IF NEW.qty % 4 = 0 THEN INSERT INTO part VALUES (NEW.stock, NEW.n + 2, NEW.qty + 1) ON CONFLICT DO NOTHING; END IF;
            RETURN NULL;
        END $f$;
        CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $f$
        BEGIN
            IF OLD.qty % 2 = 0 THEN UPDATE part SET qty = qty + 1 WHERE n = OLD.n; RETURN NULL; END IF;
            RETURN OLD;
        END $f$;
        CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON stock FOR EACH ROW EXECUTE FUNCTION note();
        CREATE TRIGGER adjust BEFORE INSERT OR UPDATE ON part FOR EACH ROW EXECUTE FUNCTION adjust();
        CREATE TRIGGER spread AFTER INSERT OR UPDATE ON part FOR EACH ROW EXECUTE FUNCTION spread();
        CREATE TRIGGER keep BEFORE DELETE ON part FOR EACH ROW EXECUTE FUNCTION keep();
        INSERT INTO stock VALUES (1, 10), (2, 20), (3, 30);
        INSERT INTO part VALUES (1, 1, 1), (1, 2, 11), (2, 3, 13);",
    is_exact: false,
    statements: &[
        (2, "INSERT INTO stock VALUES ({a}, {v})"),
        (2, "INSERT INTO stock VALUES ({a}, {v}), ({b}, {v}) ON CONFLICT (kid) DO UPDATE SET qty = stock.qty + 1"),
        (2, "UPDATE stock SET qty = {v} WHERE kid <= {a}"),
        (2, "UPDATE stock SET kid = {b} WHERE kid = {a}"),
        (2, "DELETE FROM stock WHERE kid = {a}"),
        (3, "INSERT INTO part VALUES ({a}, {b}, {v})"),
        (2, "INSERT INTO part VALUES ({a}, {b}, {v}), ({b}, {c}, {v} + 1), ({c}, {a}, {v} + 2)"),
        (2, "INSERT INTO part VALUES ({a}, {b}, {v}) ON CONFLICT (n) DO UPDATE SET qty = excluded.qty + 1"),
        (3, "UPDATE part SET qty = qty + {a} WHERE n <= {b}"),
        (2, "UPDATE part SET n = {b}, qty = {v} WHERE n = {a}"),
        (2, "UPDATE part SET n = n + 10 WHERE n > {a}"),
        (2, "UPDATE part SET stock = {a} WHERE n = {b}"),
        (3, "DELETE FROM part WHERE n = {a} OR stock = {b}"),
        (2, "MERGE INTO part USING (VALUES ({a}, {v}), ({b}, {c})) s (k, q) ON n = s.k WHEN MATCHED AND qty > {v} THEN DELETE \
             WHEN MATCHED THEN UPDATE SET qty = s.q WHEN NOT MATCHED THEN INSERT VALUES (1, s.k, s.q)"),
        (1, "WITH d AS (DELETE FROM journal RETURNING *) INSERT INTO journal SELECT jid, 'again', kid FROM d LIMIT 1"),
        (1, "TRUNCATE part"),
        (1, "TRUNCATE journal RESTART IDENTITY"),
        (1, "WITH d AS (DELETE FROM journal WHERE jid <= {a} RETURNING *) INSERT INTO part SELECT 1, jid, {v} FROM d ON CONFLICT DO NOTHING"),
    ],
    definitions: &[
        (1, "ALTER TABLE stock ADD COLUMN more_{v} int DEFAULT {v}"),
        (1, "ALTER TABLE part ALTER COLUMN n TYPE bigint"),
        (1, "ALTER TABLE part DISABLE TRIGGER adjust"),
        (1, "ALTER TABLE part ENABLE TRIGGER adjust"),
        (1, "ALTER TABLE part DISABLE TRIGGER keep"),
        (1, "ALTER TABLE journal RENAME COLUMN what TO what_x"),
        (1, "ALTER TABLE journal RENAME COLUMN what_x TO what"),
    ],
};
