CREATE OR REPLACE FUNCTION pgtrack._require_owner(p_verb text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_require_owner$
DECLARE
  v_owner  oid := (SELECT n.nspowner FROM pg_namespace n WHERE n.nspname = 'pgtrack');
BEGIN
  IF NOT pg_has_role(v_owner, 'USAGE') THEN
    RAISE EXCEPTION 'permission denied to % tables', p_verb USING
      ERRCODE = 'insufficient_privilege',
      HINT = format('Do it as a superuser, or as a member of %s, who owns pg_track.', v_owner::regrole);
  END IF;
END
$_require_owner$;
COMMENT ON FUNCTION pgtrack._require_owner(text) IS 'Refuses callers who may not act for the owner of pg_track.';

CREATE OR REPLACE FUNCTION pgtrack._options(p_options jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_options$
DECLARE
  c_defaults CONSTANT  jsonb := '{"query": true, "exclude": [], "redact": [], "replica": false, "on_drop": "allow"}';
  v_option             record;
BEGIN
  IF jsonb_typeof(p_options) <> 'object' THEN
    RAISE EXCEPTION 'the options must be a JSON object, not %', p_options USING ERRCODE = 'invalid_parameter_value';
  END IF;
  FOR v_option IN SELECT key, value FROM jsonb_each(coalesce(p_options, '{}')) LOOP
    IF NOT c_defaults ? v_option.key THEN
      RAISE EXCEPTION 'unknown option "%"', v_option.key USING
        ERRCODE = 'invalid_parameter_value',
        HINT = format('The options and their defaults are %s.', c_defaults);
    END IF;
    IF jsonb_typeof(v_option.value) <> jsonb_typeof(c_defaults -> v_option.key) THEN
      RAISE EXCEPTION 'option "%" must be a %, not %', v_option.key, jsonb_typeof(c_defaults -> v_option.key), v_option.value
        USING ERRCODE = 'invalid_parameter_value';
    END IF;
  END LOOP;
  IF p_options ->> 'on_drop' NOT IN ('allow', 'refuse') THEN
    RAISE EXCEPTION 'option "on_drop" must be "allow" or "refuse", not %', p_options -> 'on_drop' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN c_defaults || coalesce(p_options, '{}');
END
$_options$;
COMMENT ON FUNCTION pgtrack._options(jsonb) IS 'Checks the options of pgtrack.track() and fills in the defaults.';

CREATE OR REPLACE FUNCTION pgtrack._has_deferrable_key(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_deferrable_key$
BEGIN
  RETURN (
  SELECT EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid = p_table AND i.indisprimary AND NOT i.indimmediate));
END
$_has_deferrable_key$;
COMMENT ON FUNCTION pgtrack._has_deferrable_key(regclass) IS 'Whether a table''s primary key may be checked later than at once.';

CREATE OR REPLACE FUNCTION pgtrack._options_for(p_table regclass, p_options jsonb, p_only_table boolean) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_options_for$
DECLARE
  v_column  record;
  v_kept    jsonb := '{"exclude": [], "redact": []}';
BEGIN
  FOR v_column IN
    SELECT o.option, n.name, a.attnum, i.indrelid IS NOT NULL AS is_key
    FROM unnest('{exclude,redact}'::text[]) AS o (option)
    CROSS JOIN LATERAL jsonb_array_elements_text(p_options -> o.option) AS n (name)
    LEFT JOIN pg_attribute a ON a.attrelid = p_table AND a.attname = n.name AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index i ON i.indrelid = p_table AND i.indisprimary AND a.attnum = ANY (i.indkey)
  LOOP
    IF v_column.is_key THEN
      RAISE EXCEPTION 'column "%" of % cannot be left out', v_column.name, pgtrack._name(p_table) USING
        ERRCODE = 'invalid_parameter_value', DETAIL = 'It belongs to the primary key, by which history finds the row.';
    ELSIF v_column.attnum IS NOT NULL THEN
      v_kept := jsonb_insert(v_kept, ARRAY[v_column.option, '-1'], to_jsonb(v_column.name), true);
    ELSIF p_only_table AND EXISTS (SELECT FROM pgtrack.relation r WHERE r.relid = p_table AND r.options -> v_column.option ? v_column.name) THEN
      -- It was dropped; the option holds for the next column of that name.
      v_kept := jsonb_insert(v_kept, ARRAY[v_column.option, '-1'], to_jsonb(v_column.name), true);
    ELSIF p_only_table THEN
      RAISE EXCEPTION 'column "%" of % does not exist', v_column.name, pgtrack._name(p_table) USING
        ERRCODE = 'undefined_column', HINT = format('It is named by the option "%s".', v_column.option);
    END IF;
  END LOOP;
  IF (p_options ->> 'replica')::boolean AND pgtrack._has_deferrable_key(p_table) THEN
    RAISE EXCEPTION 'the option "replica" is not for %', pgtrack._name(p_table) USING
      ERRCODE = 'feature_not_supported',
      DETAIL = 'Its primary key is deferrable: rows that are recorded one by one would be told apart by keys that are there twice for a while.';
  END IF;
  RETURN p_options || v_kept;
END
$_options_for$;
COMMENT ON FUNCTION pgtrack._options_for(regclass, jsonb, boolean) IS
  'The options for one table: of a schema''s tables each takes the columns that it has.';

CREATE OR REPLACE FUNCTION pgtrack._reason_not_to_track_schema(p_schema oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_reason_not_to_track_schema$
BEGIN
  RETURN (
  SELECT CASE
    WHEN n.nspname IN ('pg_catalog', 'information_schema') OR n.nspname LIKE $r$pg\_toast%$r$ THEN 'it belongs to the system'
    WHEN n.nspname IN ('pgtrack', 'pgtrack_history') THEN 'it belongs to pg_track'
    WHEN n.nspname LIKE $r$pg\_temp\_%$r$ THEN 'it is temporary'
  END
  FROM pg_catalog.pg_namespace n
  WHERE n.oid = p_schema);
END
$_reason_not_to_track_schema$;
COMMENT ON FUNCTION pgtrack._reason_not_to_track_schema(oid) IS 'Why nothing in a schema can be tracked, or null if something can.';

-- Only what has a length of its own must lie in the page.
CREATE OR REPLACE FUNCTION pgtrack._least_width(p_table regclass) RETURNS integer
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_least_width$
DECLARE
  v_width   integer := 0;
  v_column  record;
BEGIN
  FOR v_column IN
    SELECT a.attlen, CASE a.attalign WHEN 'd' THEN 8 WHEN 'i' THEN 4 WHEN 's' THEN 2 ELSE 1 END AS alignment FROM pg_attribute a
    WHERE a.attrelid = p_table AND a.attnum > 0 AND NOT a.attisdropped AND a.attlen > 0 AND a.attnotnull
    ORDER BY a.attnum
  LOOP
    v_width := (v_width + v_column.alignment - 1) / v_column.alignment * v_column.alignment + v_column.attlen;
  END LOOP;
  RETURN v_width;
END
$_least_width$;
COMMENT ON FUNCTION pgtrack._least_width(regclass) IS 'The bytes that each row of a table has at least, behind its header.';

CREATE OR REPLACE FUNCTION pgtrack._reason_not_to_track(p_table regclass) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_reason_not_to_track$
BEGIN
  RETURN (
  SELECT coalesce(pgtrack._reason_not_to_track_schema(c.relnamespace), CASE
    WHEN c.relkind = 'v' THEN 'it is a view; track the tables under it'
    WHEN c.relkind = 'm' THEN 'it is a materialized view; track the tables under it'
    WHEN c.relkind = 'f' THEN 'it is a foreign table; track it on its own server'
    WHEN c.relispartition THEN pg_catalog.format('it is a partition of %s; track that', pgtrack._name(pg_catalog.pg_partition_root(c.oid)))
    WHEN c.relkind NOT IN ('r', 'p') THEN 'it is not a table'
    WHEN c.relkind = 'p' AND EXISTS (SELECT FROM pgtrack._members(c.oid) m WHERE (SELECT f.relkind FROM pg_catalog.pg_class f WHERE f.oid = m.relid) = 'f')
      THEN 'one of its partitions is a foreign table, whose changes PostgreSQL does not show'
    -- Rows that are recorded one by one would be told apart by keys that are there twice for a while.
    WHEN c.relkind = 'r' AND pgtrack._has_deferrable_key(c.oid)
         AND (EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent = c.oid) OR EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid))
      THEN 'it takes part in inheritance, and its primary key is deferrable'
    WHEN c.relnatts >= 1600 THEN pg_catalog.format('it has %s columns, and its history table needs one more', c.relnatts)
    -- 8136: a page without its header, a row's pointer and a row's header.
    WHEN c.relnatts > 400 AND pgtrack._least_width(c.oid) + 8 > 8136 THEN 'its rows fill a page, and those of its history need 8 bytes more'
  END)
  FROM pg_catalog.pg_class c
  WHERE c.oid = p_table);
END
$_reason_not_to_track$;
COMMENT ON FUNCTION pgtrack._reason_not_to_track(regclass) IS 'Why a relation cannot be tracked, or null if it can.';
