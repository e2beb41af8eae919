CREATE OR REPLACE FUNCTION pgtrack._history_name(p_column text, p_history regclass, p_others name[] DEFAULT '{}') RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_history_name$
BEGIN
  RETURN (
  -- Names that begin with pgtrack_ are ours, in queries, too.
  SELECT pgtrack._free_name(CASE WHEN p_column LIKE $r$pgtrack\_%$r$ THEN '_' || p_column ELSE p_column END, array_agg(a.attname) || p_others)
  FROM pg_attribute a WHERE a.attrelid = p_history);
END
$_history_name$;
COMMENT ON FUNCTION pgtrack._history_name(text, regclass, name[]) IS 'The name of a history column for a column of that name; others are about to be made.';

CREATE OR REPLACE FUNCTION pgtrack._rename_history_column(p_relation integer, p_column name, p_wanted text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_rename_history_column$
DECLARE
  v_history  name;
  v_name     name;
BEGIN
  SELECT r.history_table INTO STRICT v_history FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  v_name := pgtrack._history_name(p_wanted, format('pgtrack_history.%I', v_history)::regclass);
  EXECUTE format('ALTER TABLE pgtrack_history.%I RENAME COLUMN %I TO %I', v_history, p_column, v_name);
  UPDATE pgtrack.relation_column SET history_column = v_name
  WHERE relation_id = p_relation AND history_column = p_column;
END
$_rename_history_column$;
COMMENT ON FUNCTION pgtrack._rename_history_column(integer, name, text) IS 'Renames a column of a history table, to a numbered name if the wanted one is taken.';

-- Columns are known by their numbers, which stay when they are renamed. A dump that is restored numbers them anew.
CREATE OR REPLACE FUNCTION pgtrack._sync_identity(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync_identity$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  IF v_relation.identity IS DISTINCT FROM pgtrack._identity(v_relation.relid) THEN
    UPDATE pgtrack.relation_column SET attnum = NULL, type = NULL WHERE relation_id = p_relation AND v_relation.identity IS NOT NULL;
    UPDATE pgtrack.relation_column c SET successor = a.attnum
    FROM pg_attribute a
    WHERE c.relation_id = p_relation AND v_relation.identity IS NOT NULL AND c.successor IS NOT NULL
      AND a.attrelid = v_relation.relid AND a.attname = c.column_name AND a.attnum > 0 AND NOT a.attisdropped;
    UPDATE pgtrack.relation_column c SET attnum = a.attnum
    FROM pg_attribute a
    WHERE c.relation_id = p_relation AND v_relation.identity IS NOT NULL
      AND a.attrelid = v_relation.relid AND a.attname = c.column_name AND a.attnum > 0 AND NOT a.attisdropped
      AND c.history_column = (SELECT x.history_column FROM pgtrack.relation_column x
                              WHERE x.relation_id = p_relation AND x.column_name = c.column_name ORDER BY x.since DESC LIMIT 1);
    UPDATE pgtrack.relation SET
      identity = pgtrack._identity(relid),
      left_out = coalesce((SELECT jsonb_object_agg(a.attnum, o.option)
                           FROM pg_attribute a JOIN unnest('{exclude,redact}'::text[]) AS o (option) ON options -> o.option ? a.attname::text
                           WHERE a.attrelid = relid AND a.attnum > 0 AND NOT a.attisdropped), '{}')
    WHERE relation_id = p_relation;
  ELSE
    -- The options follow a column that was renamed. That of one that was dropped holds for the next of its name.
    UPDATE pgtrack.relation r SET options = r.options || (
      SELECT jsonb_object_agg(o.option, (
        SELECT coalesce(jsonb_agg(n.name ORDER BY n.name), '[]')
        FROM (SELECT a.attname::text AS name FROM pg_attribute a
              WHERE a.attrelid = r.relid AND r.left_out ->> a.attnum::text = o.option AND NOT a.attisdropped
              UNION SELECT jsonb_array_elements_text(r.options -> o.option)
              WHERE EXISTS (SELECT FROM jsonb_each_text(r.left_out) l WHERE l.value = o.option
                            AND pgtrack._column_name(r.relid, l.key::smallint) IS NULL)) n))
      FROM unnest('{exclude,redact}'::text[]) AS o (option))
    WHERE r.relation_id = p_relation AND r.left_out <> '{}';
    UPDATE pgtrack.relation r SET left_out = r.left_out || x.new
    FROM (SELECT jsonb_object_agg(a.attnum, o.option) AS new
          FROM pgtrack.relation s CROSS JOIN unnest('{exclude,redact}'::text[]) AS o (option)
          JOIN pg_attribute a ON a.attrelid = s.relid AND a.attnum > 0 AND NOT a.attisdropped AND s.options -> o.option ? a.attname::text
          WHERE s.relation_id = p_relation AND NOT s.left_out ? a.attnum::text) x
    WHERE r.relation_id = p_relation AND x.new IS NOT NULL;
  END IF;
END
$_sync_identity$;
COMMENT ON FUNCTION pgtrack._sync_identity(integer) IS 'Finds the columns of a table by their names again after it was restored from a dump.';

-- What is stored as text goes on in the same column when its type is replaced by another such type.
CREATE OR REPLACE FUNCTION pgtrack._refuse_retyped(p_relation pgtrack.relation) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_retyped$
DECLARE
  v_column  name;
BEGIN
  IF p_relation.options ->> 'on_drop' = 'refuse' THEN
    SELECT a.attname INTO v_column
    FROM pgtrack.relation_column c JOIN pg_attribute a ON a.attrelid = p_relation.relid AND a.attnum = c.attnum
    WHERE c.relation_id = p_relation.relation_id AND c.type <> a.atttypid
      AND (pgtrack._foreign_kind(c.type) IS NOT NULL OR pgtrack._foreign_kind(a.atttypid) IS NOT NULL) LIMIT 1;
    IF FOUND THEN
      PERFORM pgtrack._refuse_drop(p_relation.relation_id, format('change the type of column %I of', v_column));
    END IF;
  END IF;
END
$_refuse_retyped$;
COMMENT ON FUNCTION pgtrack._refuse_retyped(pgtrack.relation) IS
  'Refuses, where on_drop says so, a change between types that are stored in the same way.';

CREATE OR REPLACE FUNCTION pgtrack._stored_collation(p_column pg_attribute) RETURNS oid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_stored_collation$
BEGIN
  -- One that somebody made can be dropped; it matters only where it compares in a way of its own.
  RETURN (SELECT coalesce((SELECT l.oid FROM pg_collation l WHERE l.oid = p_column.attcollation AND pgtrack._foreign_kind(p_column.atttypid) IS NULL
                           AND (l.oid < 16384 OR NOT l.collisdeterministic)),
                          CASE WHEN t.typcollation <> 0 THEN 'pg_catalog."default"'::regcollation::oid ELSE 0 END)
          FROM pg_type t WHERE t.oid = p_column.atttypid);
END
$_stored_collation$;
COMMENT ON FUNCTION pgtrack._stored_collation(pg_attribute) IS 'The collation of the history column for a column of a tracked table; 0 where its type has none.';

CREATE OR REPLACE FUNCTION pgtrack._collation_sql(p_column pg_attribute) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_collation_sql$
BEGIN
  RETURN (
  SELECT coalesce((SELECT format(' COLLATE %I.%I', n.nspname, l.collname) FROM pg_collation l JOIN pg_namespace n ON n.oid = l.collnamespace
                   WHERE l.oid = pgtrack._stored_collation(p_column)), ''));
END
$_collation_sql$;
COMMENT ON FUNCTION pgtrack._collation_sql(pg_attribute) IS 'The same as a clause.';

CREATE OR REPLACE FUNCTION pgtrack._compares_otherwise(p_column pg_attribute, p_collation oid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_compares_otherwise$
BEGIN
  RETURN (
  SELECT CASE WHEN p_collation >= 16384 OR p_column.attcollation >= 16384
              THEN pgtrack._stored_collation(p_column) <> p_collation AND EXISTS (
                SELECT FROM pg_catalog.pg_collation l
                WHERE l.oid IN (pgtrack._stored_collation(p_column), p_collation) AND NOT l.collisdeterministic)
              ELSE false END);
END
$_compares_otherwise$;
COMMENT ON FUNCTION pgtrack._compares_otherwise(pg_attribute, oid) IS
  'Whether a column of a tracked table has a collation by which other values are equal than by the one of its history column.';

-- Dropped, retyped and excluded columns leave their values behind.
CREATE OR REPLACE FUNCTION pgtrack._leave_columns(p_relation pgtrack.relation, p_history regclass) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_leave_columns$
DECLARE
  v_column     record;
  v_keys       text;
  v_converted  text;
BEGIN
  FOR v_column IN
    SELECT c.history_column, c.column_name, c.attnum, c.column_name = ANY (p_relation.key_columns) AS is_key,
           CASE WHEN (n.a).attname IS NULL THEN 'dropped' WHEN p_relation.left_out ? (n.a).attnum::text THEN 'excluded'
                WHEN x.is_retyped THEN 'retyped' ELSE 'collated' END AS reason,
           h.atttypid AS type, format_type(h.atttypid, h.atttypmod) || pgtrack._collation_sql(n.a) AS type_name
    FROM pgtrack.relation_column c
    -- OFFSET 0, here and below: looked up for each column, not tried for each pair of columns.
    CROSS JOIN LATERAL (SELECT h.* FROM pg_attribute h WHERE h.attrelid = p_history AND h.attname = c.history_column OFFSET 0) h
    LEFT JOIN LATERAL (SELECT a FROM pg_attribute a WHERE a.attrelid = p_relation.relid AND a.attnum = c.attnum AND NOT a.attisdropped OFFSET 0) n ON true
    CROSS JOIN LATERAL (SELECT format_type(h.atttypid, h.atttypmod) IS DISTINCT FROM pgtrack._stored_type((n.a).atttypid, (n.a).atttypmod) AS is_retyped) x
    WHERE c.relation_id = p_relation.relation_id AND c.attnum IS NOT NULL
      AND (x.is_retyped OR p_relation.left_out ? c.attnum::text OR pgtrack._compares_otherwise(n.a, h.attcollation))
  LOOP
    IF v_column.reason = 'retyped' AND p_relation.options ->> 'on_drop' = 'refuse' THEN
      PERFORM pgtrack._refuse_drop(p_relation.relation_id, format('change the type of column %I of', v_column.column_name));
    END IF;
    IF v_column.reason = 'collated' AND NOT v_column.is_key THEN
      PERFORM pgtrack._retype_history_column(p_history, v_column.history_column, v_column.type, v_column.type_name, quote_ident(v_column.history_column));
      CONTINUE;
    END IF;
    -- The history of a row is found by its key.
    IF v_column.is_key THEN
      v_converted := CASE WHEN v_column.reason IN ('retyped', 'collated')
                     THEN pgtrack._convert_key_column(p_relation, v_column.column_name, v_column.attnum, v_column.history_column) END;
      v_keys := CASE WHEN v_keys IS DISTINCT FROM 'lost' AND v_converted = 'converted' THEN 'converted' ELSE 'lost' END;
      CONTINUE WHEN v_converted IS NOT NULL;
    END IF;
    UPDATE pgtrack.relation_column SET
      attnum = NULL,
      type = NULL,
      successor = CASE WHEN v_column.reason IN ('retyped', 'collated') THEN v_column.attnum END,
      -- What is excluded now is not to be seen in images of before, either.
      until = CASE WHEN v_column.reason = 'excluded' THEN NULL
                   WHEN history_column = v_column.history_column THEN nextval('pgtrack.statement_id_seq') ELSE until END
    WHERE relation_id = p_relation.relation_id AND (history_column = v_column.history_column OR successor = v_column.attnum);
    PERFORM pgtrack._rename_history_column(p_relation.relation_id, v_column.history_column,
      format('%s_%s', v_column.column_name, v_column.reason));
  END LOOP;
  RETURN v_keys;
END
$_leave_columns$;
COMMENT ON FUNCTION pgtrack._leave_columns(pgtrack.relation, regclass) IS
  'Leaves columns of a history table to what was recorded of columns that the table does not have any more; what became of recorded keys, as _sync_columns().';

CREATE OR REPLACE FUNCTION pgtrack._rename_columns(p_relation pgtrack.relation) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_rename_columns$
DECLARE
  v_column   record;
  v_renamed  jsonb := '{}';
BEGIN
  FOR v_column IN
    SELECT c.history_column, c.column_name, c.attnum, a.attname
    FROM pgtrack.relation_column c
    CROSS JOIN LATERAL (SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p_relation.relid AND a.attnum = c.attnum OFFSET 0) a
    WHERE c.relation_id = p_relation.relation_id AND (a.attname <> c.column_name OR c.history_column LIKE $r$pgtrack\_%$r$)
  LOOP
    UPDATE pgtrack.relation_column SET column_name = v_column.attname
    WHERE relation_id = p_relation.relation_id AND v_column.attnum IN (attnum, successor);
    PERFORM pgtrack._rename_history_column(p_relation.relation_id, v_column.history_column, v_column.attname);
    v_renamed := v_renamed || jsonb_build_object(v_column.column_name, v_column.attname);
  END LOOP;
  PERFORM pgtrack._rename_in_keys(p_relation.relation_id, v_renamed) WHERE v_renamed <> '{}';
END
$_rename_columns$;
COMMENT ON FUNCTION pgtrack._rename_columns(pgtrack.relation) IS 'Gives columns of a history table the names that the table''s columns have now.';

-- A virtual generated column (PostgreSQL 18) has no stored value to record.
CREATE OR REPLACE FUNCTION pgtrack._new_columns(p_relation pgtrack.relation, p_history regclass)
RETURNS TABLE (name name, type oid, type_name text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_new_columns$
#variable_conflict use_column
DECLARE
  v_column  record;
  v_taken   name[] := ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = p_history);
BEGIN
  FOR v_column IN
    SELECT a.attnum, a.attname, a.atttypid, pgtrack._stored_type_of(a.atttypid) AS stored,
           pgtrack._stored_type(a.atttypid, a.atttypmod) || pgtrack._collation_sql(a) AS type_name
    FROM pg_attribute a
    WHERE a.attrelid = p_relation.relid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v'
      AND NOT p_relation.left_out ? a.attnum::text
      AND NOT EXISTS (SELECT FROM pgtrack.relation_column c WHERE c.relation_id = p_relation.relation_id AND c.attnum = a.attnum OFFSET 0)
    ORDER BY a.attnum
  LOOP
    name := pgtrack._history_name(v_column.attname, NULL, v_taken);
    type := v_column.stored;
    type_name := v_column.type_name;
    v_taken := v_taken || name;
    INSERT INTO pgtrack.relation_column (relation_id, history_column, column_name, attnum, type, since)
    VALUES (p_relation.relation_id, _new_columns.name, v_column.attname, v_column.attnum, v_column.atttypid,
            CASE WHEN EXISTS (SELECT FROM pgtrack.statement s WHERE s.relation_id = p_relation.relation_id)
                 THEN nextval('pgtrack.statement_id_seq') ELSE 0 END);
    RETURN NEXT;
  END LOOP;
END
$_new_columns$;
COMMENT ON FUNCTION pgtrack._new_columns(pgtrack.relation, regclass) IS
  'Notes the columns of a table that its history does not have yet, and returns their definitions; p_history is null where the history table is made with them.';

CREATE OR REPLACE FUNCTION pgtrack._sync_columns(p_relation integer) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_sync_columns$
DECLARE
  v_relation  pgtrack.relation;
  v_history   regclass;
  v_keys      text;
  v_column    record;
  v_new       text[] := '{}';
BEGIN
  PERFORM pgtrack._sync_identity(p_relation);
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  v_history := format('pgtrack_history.%I', v_relation.history_table)::regclass;
  PERFORM pgtrack._refuse_retyped(v_relation);
  v_keys := pgtrack._leave_columns(v_relation, v_history);
  PERFORM pgtrack._rename_columns(v_relation);
  FOR v_column IN SELECT * FROM pgtrack._new_columns(v_relation, v_history) LOOP
    IF v_column.type < 16384 THEN
      v_new := v_new || format('%I %s', v_column.name, v_column.type_name);
    ELSE
      PERFORM pgtrack._add_history_column(v_history, v_column.name, v_column.type, v_column.type_name);
    END IF;
  END LOOP;
  IF v_new <> '{}' THEN
    EXECUTE format('ALTER TABLE %s ADD COLUMN %s', v_history, array_to_string(v_new, ', ADD COLUMN '));
  END IF;
  UPDATE pgtrack.relation_column c SET type = (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = v_relation.relid AND a.attnum = c.attnum)
  WHERE c.relation_id = p_relation AND c.attnum IS NOT NULL
    AND c.type IS DISTINCT FROM (SELECT a.atttypid FROM pg_attribute a WHERE a.attrelid = v_relation.relid AND a.attnum = c.attnum);
  RETURN v_keys;
END
$_sync_columns$;
COMMENT ON FUNCTION pgtrack._sync_columns(integer) IS
  'Brings a history table into the shape of its tracked table, without losing a value; says if recorded keys were converted or lost by that.';
