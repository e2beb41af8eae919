-- Keys that differ as JSON may be equal: Bob and bob of type citext, 1 day and 24 hours. Which they are only the table's own
-- comparison tells. So of the keys that are noted as JSON, those that are equal are read as the least of them, in whatever
-- spelling they were noted; and what is looked for among them is, too. (record_eq() compares by what the columns' types are
-- compared by, without a name of an operator.)

CREATE OR REPLACE FUNCTION pgtrack._noted_key_changes(p_relation integer)
RETURNS TABLE (statement_id bigint, xid xid8, old_key jsonb, new_key jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT coalesce(c.statement_id, (
           SELECT pg_catalog.min(s.statement_id) FROM pgtrack.statement s
           WHERE s.xid = c.xid AND s.relation_id = c.relation_id AND s.operation = 'U' AND s.statement_id > c.change_id)),
         c.xid, c.old_key, c.new_key
  FROM pgtrack.key_change c
  WHERE c.relation_id = p_relation AND c.change_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = p_relation);
END;
COMMENT ON FUNCTION pgtrack._noted_key_changes(integer) IS 'The key changes of a table as they were noted, each with the statement that made it.';

-- OFFSET 0: those of each key are found by the index, whatever the planner thinks of the table.
CREATE OR REPLACE FUNCTION pgtrack._departures(p_relation integer, p_keys jsonb[]) RETURNS TABLE (statement_id bigint, new_key jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT m.statement_id, m.new_key
  FROM unnest(p_keys) k (key)
  CROSS JOIN LATERAL (SELECT m.* FROM pgtrack._noted_key_changes(p_relation) m WHERE m.old_key = k.key OFFSET 0) m
  WHERE m.new_key <> ALL (p_keys);
END;
COMMENT ON FUNCTION pgtrack._departures(integer, jsonb[]) IS 'The changes of a key, in whatever spelling, to another.';

CREATE OR REPLACE FUNCTION pgtrack._arrivals(p_relation integer, p_keys jsonb[]) RETURNS TABLE (statement_id bigint, old_key jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT m.statement_id, m.old_key
  FROM unnest(p_keys) k (key)
  CROSS JOIN LATERAL (SELECT m.* FROM pgtrack._noted_key_changes(p_relation) m WHERE m.new_key = k.key OFFSET 0) m
  WHERE m.old_key <> ALL (p_keys);
END;
COMMENT ON FUNCTION pgtrack._arrivals(integer, jsonb[]) IS 'The changes of other keys to a key, in whatever spelling.';

CREATE OR REPLACE FUNCTION pgtrack._compared_key_changes(p_relation integer)
RETURNS TABLE (statement_id bigint, xid xid8, old_key jsonb, new_key jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_compared_key_changes$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  -- A change of the spelling alone is none of the key.
  RETURN QUERY EXECUTE format($$
    WITH noted AS MATERIALIZED (
      SELECT c.* FROM pgtrack._noted_key_changes(%1$s) c
    ), spelling AS MATERIALIZED (
      SELECT x.key, first_value(x.key) OVER (PARTITION BY %2$s ORDER BY x.key) AS least
      FROM (SELECT n.old_key AS key FROM noted n UNION SELECT n.new_key FROM noted n) x CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%3$s)
    )
    SELECT n.statement_id, n.xid, o.least, w.least
    FROM noted n JOIN spelling o ON o.key = n.old_key JOIN spelling w ON w.key = n.new_key
    WHERE o.least <> w.least$$, p_relation, v_shape.compared_key, v_shape.key_record);
END
$_compared_key_changes$;
COMMENT ON FUNCTION pgtrack._compared_key_changes(integer) IS
  'The key changes of a table where keys that differ as JSON may be equal, of which it has the least.';

-- Most tables have the first part alone, which the planner puts into the queries that ask for it: it has indexes by key.
CREATE OR REPLACE FUNCTION pgtrack._key_changes(p_relation integer)
RETURNS TABLE (statement_id bigint, xid xid8, old_key jsonb, new_key jsonb)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT n.* FROM pgtrack._noted_key_changes(p_relation) n WHERE (SELECT s.compared_key FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) IS NULL
  UNION ALL
  SELECT c.* FROM pgtrack._compared_key_changes(p_relation) c WHERE (SELECT s.compared_key FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) IS NOT NULL;
END;
COMMENT ON FUNCTION pgtrack._key_changes(integer) IS 'The key changes of a table, each with the statement that made it; equal keys are the same.';

-- For who follows one row after another: their key changes are found by index, under each spelling.
CREATE OR REPLACE FUNCTION pgtrack._spellings(p_relation integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_spellings$
DECLARE
  v_shape      pgtrack.relation_shape;
  v_spellings  jsonb;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  IF v_shape.compared_key IS NOT NULL THEN
    EXECUTE format($$
      WITH noted AS MATERIALIZED (SELECT c.old_key, c.new_key FROM pgtrack._noted_key_changes(%1$s) c), class AS (
        SELECT array_agg(x.key ORDER BY x.key) AS keys
        FROM (SELECT n.old_key AS key FROM noted n UNION SELECT n.new_key FROM noted n) x CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%3$s)
        GROUP BY %2$s HAVING count(*) > 1
      )
      SELECT jsonb_object_agg(k.key::text, to_jsonb(c.keys)) FROM class c CROSS JOIN LATERAL unnest(c.keys) AS k (key)$$,
      p_relation, v_shape.compared_key, v_shape.key_record)
    INTO v_spellings;
  END IF;
  RETURN coalesce(v_spellings, '{}');
END
$_spellings$;
COMMENT ON FUNCTION pgtrack._spellings(integer) IS 'For each key that is noted in several spellings, by its text, all of them, the least first.';

CREATE OR REPLACE FUNCTION pgtrack._equal_keys(p_spellings jsonb, p_key jsonb) RETURNS jsonb[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_equal_keys$
DECLARE
  v_keys  jsonb := p_spellings -> p_key::text;
BEGIN
  RETURN CASE WHEN v_keys IS NULL THEN ARRAY[p_key] ELSE ARRAY(SELECT jsonb_array_elements(v_keys)) END;
END
$_equal_keys$;
COMMENT ON FUNCTION pgtrack._equal_keys(jsonb, jsonb) IS 'A key as it was noted, in all spellings of pgtrack._spellings(), the least first.';

CREATE OR REPLACE FUNCTION pgtrack._noted_key(p_relation integer, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_noted_key$
DECLARE
  v_shape  pgtrack.relation_shape;
  v_key    jsonb;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  IF v_shape.compared_key IS NOT NULL THEN
    EXECUTE format($$
      SELECT x.key FROM pgtrack._noted_key_changes(%1$s) n CROSS JOIN LATERAL (VALUES (n.old_key), (n.new_key)) x (key)
      CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%2$s)
      WHERE ROW(%3$s)::record = (SELECT ROW(%3$s)::record FROM jsonb_to_record($1) AS k(%2$s))
      ORDER BY x.key LIMIT 1$$, p_relation, v_shape.key_record, v_shape.compared_key)
    INTO v_key USING p_key;
  END IF;
  RETURN coalesce(v_key, p_key);
END
$_noted_key$;
COMMENT ON FUNCTION pgtrack._noted_key(integer, jsonb) IS 'A canonical key as pgtrack._key_changes() has it; itself where it does not.';

CREATE OR REPLACE FUNCTION pgtrack._row_key_sql(p_shape pgtrack.relation_shape, p_key text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format(CASE WHEN p_shape.compared_key IS NULL THEN '%s' ELSE 'pgtrack._noted_key(%2$s, %1$s)' END,
                format('pgtrack._canonical_key(%s, %L)', p_key, p_shape.key_record), p_shape.relation_id);
END;
COMMENT ON FUNCTION pgtrack._row_key_sql(pgtrack.relation_shape, text) IS
  'The expression for a key of the history in the form that compares with those of pgtrack._key_changes().';

CREATE OR REPLACE FUNCTION pgtrack._is_same_key(p_relation integer, p_key jsonb, p_other jsonb) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_is_same_key$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_is_same  boolean := p_key = p_other;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  IF NOT v_is_same AND v_shape.compared_key IS NOT NULL THEN
    EXECUTE format('SELECT (SELECT ROW(%1$s)::record FROM jsonb_to_record($1) AS k(%2$s)) = (SELECT ROW(%1$s)::record FROM jsonb_to_record($2) AS k(%2$s))',
                   v_shape.compared_key, v_shape.key_record)
    INTO v_is_same USING p_key, p_other;
  END IF;
  RETURN v_is_same;
END
$_is_same_key$;
COMMENT ON FUNCTION pgtrack._is_same_key(integer, jsonb, jsonb) IS 'Whether two canonical keys of a table are equal.';

-- As many rows may have been purged as there are: they are found by an index. It is about a number, so a digest will do.
CREATE OR REPLACE FUNCTION pgtrack._purged_key(p_relation integer, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_purged_key$
DECLARE
  v_shape   pgtrack.relation_shape;
  v_digest  bigint;
BEGIN
  SELECT * INTO v_shape FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation;
  IF v_shape.key_has_digest IS NOT TRUE THEN
    -- An index takes no more than 2.7 kB.
    RETURN CASE WHEN octet_length(p_key::text) > 1000 THEN jsonb_build_object('', hashtextextended(p_key::text, 0)) ELSE p_key END;
  END IF;
  EXECUTE format('SELECT hash_record_extended(ROW(%s)::record, 0) FROM jsonb_to_record($1) AS k(%s)', v_shape.compared_key, v_shape.key_record)
  INTO v_digest USING p_key;
  -- No column has no name.
  RETURN jsonb_build_object('', v_digest);
END
$_purged_key$;
COMMENT ON FUNCTION pgtrack._purged_key(integer, jsonb) IS 'A canonical key as pgtrack.purged_version has it: itself, or a digest that all that equal it have.';

-- Where a key has become one of these, or was recorded before there were digests.
CREATE OR REPLACE FUNCTION pgtrack._digest_purged_keys(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_digest_purged_keys$
BEGIN
  IF (SELECT s.key_has_digest FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) THEN
    WITH plain AS (
      DELETE FROM pgtrack.purged_version p WHERE p.relation_id = p_relation AND NOT p.row_key ? '' RETURNING p.row_key, p.versions
    )
    INSERT INTO pgtrack.purged_version (relation_id, row_key, versions)
    SELECT p_relation, x.key, sum(p.versions) FROM plain p CROSS JOIN LATERAL pgtrack._purged_key(p_relation, p.row_key) AS x (key) GROUP BY x.key
    ON CONFLICT (relation_id, row_key) DO UPDATE SET versions = purged_version.versions + excluded.versions;
  END IF;
END
$_digest_purged_keys$;
COMMENT ON FUNCTION pgtrack._digest_purged_keys(integer) IS 'Brings the purged versions of a table under the digests of their keys.';
