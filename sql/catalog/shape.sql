-- The pieces that dynamic SQL about one tracked table is made of. In them, t is the live table, h its history
-- table, c another row of the history table and k a key: jsonb_to_record(<key>) AS k(<key_record>).
-- Of a row that is updated only p_columns are set, where that is not null.
CREATE OR REPLACE FUNCTION pgtrack._make_shape(p_table regclass, p_columns text[] DEFAULT NULL) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_make_shape$
DECLARE
  v_shape     pgtrack.relation_shape;
  v_relation  record;
  v_root      regclass;
BEGIN
  SELECT r.relation_id, r.history_table, r.key_columns, c.relkind INTO v_relation
  FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
  WHERE r.relid = p_table;
  IF NOT FOUND THEN
    SELECT p.oid INTO v_root FROM pg_class c CROSS JOIN LATERAL (SELECT pg_partition_root(c.oid) AS oid) p
    WHERE c.oid = p_table AND c.relispartition;
    RAISE EXCEPTION 'table % is not tracked', pgtrack._name(p_table) USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = CASE WHEN v_root IS NULL
        THEN format('Start with SELECT * FROM pgtrack.track(%L). Only changes made after that have a history.', pgtrack._name(p_table))
        ELSE format('It is a partition; its history is under %L.', pgtrack._name(v_root)) END;
  END IF;
  v_shape.relation_id := v_relation.relation_id;
  v_shape.name := pgtrack._name(p_table);
  -- The rows of inheriting tables are not this table's; those of partitions are.
  v_shape.live_table := CASE v_relation.relkind WHEN 'p' THEN '' ELSE 'ONLY ' END || v_shape.name;
  v_shape.history := format('pgtrack_history.%I', v_relation.history_table);
  v_shape.keys := v_relation.key_columns;
  v_shape := pgtrack._make_key_shape(v_shape);
  IF v_shape.keys <> '{}' AND v_shape.key_record IS NULL THEN
    RAISE EXCEPTION 'the primary key of % has changed unnoticed', v_shape.name USING
      ERRCODE = 'object_not_in_prerequisite_state',
      HINT = 'SELECT * FROM pgtrack.follow_ddl() notices it.';
  END IF;
  v_shape := pgtrack._make_column_shape(v_shape, p_table, p_columns);
  v_shape.row_values := pgtrack._row_values(v_shape.relation_id, p_table);
  v_shape.type_names := pgtrack._type_names(p_table);
  v_shape.fingerprint := pgtrack._fingerprint(p_table);
  RETURN v_shape;
END
$_make_shape$;
COMMENT ON FUNCTION pgtrack._make_shape(regclass, text[]) IS 'Makes the pieces that dynamic SQL about one tracked table is made of.';

CREATE OR REPLACE FUNCTION pgtrack._type_names(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET quote_all_identifiers = off AS $_type_names$
BEGIN
  RETURN (
  SELECT string_agg(concat_ws(' ', format_type(a.atttypid, NULL), format_type(b.type, NULL)), ', ' ORDER BY a.attnum)
  FROM pg_attribute a CROSS JOIN LATERAL pgtrack._base_type(a.atttypid, -1) b
  WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid >= 16384);
END
$_type_names$;
COMMENT ON FUNCTION pgtrack._type_names(regclass) IS
  'The names of the types of a table''s columns, apart from PostgreSQL''s own; null for none.';

-- Text names a table, and another name may be given to it, or its name to a view, before the text is read. With a lock
-- nothing of that happens. A function that may not LOCK TABLE, as it must work in a read-only query, has this one that
-- locks by number, ACCESS SHARE until the transaction ends (table_to_xmlschema in src/backend/utils/adt/xml.c). What is
-- asked then comes from PostgreSQL's cache: the snapshot may be from before the lock.
CREATE OR REPLACE FUNCTION pgtrack._hold_table(p_table regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_hold_table$
BEGIN
  -- Whoever has much to lose holds the schema's name, too, where the transaction may lock a row.
  IF NOT current_setting('transaction_read_only')::boolean AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    PERFORM pgtrack._hold_name(p_table);
  END IF;
  PERFORM table_to_xmlschema(p_table, false, false, '');
  -- PostgreSQL 15 makes a view of a table that is given a rule; to read it is to run whatever the rule says.
  IF (pg_identify_object('pg_class'::regclass, p_table, 0)).type <> 'table' THEN
    RAISE EXCEPTION '% is no table any more', pgtrack._name(p_table) USING
      ERRCODE = 'wrong_object_type', DETAIL = 'It has become a view, or something else that runs code when it is read.';
  END IF;
END
$_hold_table$;
COMMENT ON FUNCTION pgtrack._hold_table(regclass) IS
  'Keeps a table what it is, with its name, until the transaction ends; refuses what is tracked as a table, but is none any more.';

-- PostgreSQL calls what is in indexes and statistics when it plans a query of their table. Who makes one, or alters the
-- table, waits for this lock; who writes rows does not.
CREATE OR REPLACE FUNCTION pgtrack._hold_definition(p_table regclass) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '1s' AS $_hold_definition$
BEGIN
  PERFORM pgtrack._hold_table(p_table);
  IF NOT pg_is_in_recovery() AND has_table_privilege(p_table, 'UPDATE, DELETE, TRUNCATE') THEN
    EXECUTE format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', p_table);
    RETURN true;
  END IF;
  RETURN pg_is_in_recovery() OR EXISTS (
    SELECT FROM pg_locks l
    WHERE l.locktype = 'relation' AND l.relation = p_table AND l.pid = pg_backend_pid() AND l.granted
      AND l.mode IN ('ShareUpdateExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'));
EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
  RETURN false;
END
$_hold_definition$;
COMMENT ON FUNCTION pgtrack._hold_definition(regclass) IS
  'Keeps a table what it is, its indexes and statistics too, until the transaction ends; false if the current user, or whoever called it before, may not, or others just change them.';

-- Whoever renames a schema waits for this lock (_on_ddl).
CREATE OR REPLACE FUNCTION pgtrack._hold_name(p_table regclass) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_hold_name$
BEGIN
  PERFORM FROM pgtrack.relation r WHERE r.relid IN (p_table, pg_partition_root(p_table)) FOR KEY SHARE;
END
$_hold_name$;
COMMENT ON FUNCTION pgtrack._hold_name(regclass) IS
  'Keeps the schema of a tracked table from being renamed until the transaction ends; for who may lock its row in pgtrack.relation.';

CREATE OR REPLACE FUNCTION pgtrack._shape(p_table regclass, p_columns text[] DEFAULT NULL) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_shape$
BEGIN
  PERFORM pgtrack._hold_table(p_table);
  RETURN pgtrack._known_shape(p_table, p_columns);
END
$_shape$;
COMMENT ON FUNCTION pgtrack._shape(regclass, text[]) IS
  'The pieces that dynamic SQL about one tracked table is made of; of a row that is updated, only some columns are set if they are named.';

-- For what is done with the history alone: the table may be in use then, or no table any more. The pieces are
-- made when the table's shape is followed, and anew where it was not, or where names have changed.
CREATE OR REPLACE FUNCTION pgtrack._known_shape(p_table regclass, p_columns text[] DEFAULT NULL) RETURNS pgtrack.relation_shape
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_known_shape$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  SELECT s.* INTO v_shape
  FROM pgtrack.relation r JOIN pgtrack.relation_shape s USING (relation_id)
  WHERE r.relid = p_table;
  -- Compared here, so that it is computed for this table alone.
  IF p_columns IS NOT NULL OR v_shape.fingerprint IS DISTINCT FROM pgtrack._fingerprint(p_table) OR v_shape.name <> pgtrack._name(p_table)
     OR v_shape.type_names IS NOT NULL AND v_shape.type_names <> pgtrack._type_names(p_table) THEN
    RETURN pgtrack._make_shape(p_table, p_columns);
  END IF;
  RETURN v_shape;
END
$_known_shape$;
COMMENT ON FUNCTION pgtrack._known_shape(regclass, text[]) IS 'The same without a lock: the table must not be read by its name then.';
