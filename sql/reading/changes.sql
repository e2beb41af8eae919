-- The number of a change c of a table whose keys did not change, and the row after it.
CREATE OR REPLACE FUNCTION pgtrack._version_sql(p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_version_sql$
DECLARE
  v_later   text := p_shape.same_row || ' AND (h.pgtrack_statement_id, h.ctid) > (c.pgtrack_statement_id, c.pgtrack_handle)';
  v_is_past  text := format('EXISTS (SELECT FROM %s h WHERE %s)', p_shape.history, v_later);
  v_next    text := v_later || ' ORDER BY h.pgtrack_statement_id, h.ctid LIMIT 1';
  v_from    text := '';
  v_purged  text := '0';
BEGIN
  IF NOT pgtrack._sees_every_row(p_shape.relation_id) THEN
    -- The next change is the next one, though it may be hidden from the caller.
    v_is_past := 'e.next_handle IS NOT NULL';
    v_next := 'h.ctid = e.next_handle AND h.pgtrack_statement_id = e.next_statement';
    v_from := format(' FROM pgtrack._entry(%s, c.pgtrack_statement_id, c.pgtrack_handle, false) e', p_shape.relation_id);
  END IF;
  IF EXISTS (SELECT FROM pgtrack.relation r WHERE r.relation_id = p_shape.relation_id AND r.purged_until IS NOT NULL) THEN
    v_purged := format('pgtrack._purged_versions_of(%s, pgtrack._canonical_key(%s, %L))::integer',
                       p_shape.relation_id, p_shape.key_json, p_shape.key_record);
  END IF;
  RETURN format('SELECT (SELECT count(*)::integer FROM %s h WHERE %s'
                ' AND (h.pgtrack_statement_id, h.ctid) <= (c.pgtrack_statement_id, c.pgtrack_handle)) + %s AS ver, ',
                p_shape.history, p_shape.same_row, v_purged)
      || format('CASE WHEN s.operation IN (''D'', ''T'') THEN NULL'
                ' WHEN %s THEN (SELECT CASE WHEN n.operation <> ''I'' THEN %s END FROM %s h'
                ' JOIN pgtrack.statement n ON n.relation_id = %s AND n.statement_id = h.pgtrack_statement_id WHERE %s) ',
                v_is_past, p_shape.image, p_shape.history, p_shape.relation_id, v_next)
      || format('ELSE (SELECT %s FROM %s t WHERE %s) END AS after%s',
                p_shape.live_image, p_shape.live_table, p_shape.live_is_history, v_from);
END
$_version_sql$;
COMMENT ON FUNCTION pgtrack._version_sql(pgtrack.relation_shape) IS 'The query for the number of a row''s change c and the row after it.';

-- The same where keys have changed: the row is followed on the keys that it has had since. The number is that among the
-- versions of whatever row the key leads to now; for another row's change under the key it is null.
CREATE OR REPLACE FUNCTION pgtrack._moved_version_sql(p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_moved_version_sql$
BEGIN
  IF NOT pgtrack._sees_every_row(p_shape.relation_id) THEN
    RETURN format('SELECT x.ver, x.after FROM pgtrack._history($1, %1$s) x WHERE x.statement_id = c.pgtrack_statement_id'
                  ' AND CASE s.operation WHEN ''I'' THEN x.op = ''INSERT'' AND (x.after IS NULL OR x.after @> %1$s) ELSE x.before = %2$s END',
                  p_shape.key_json, p_shape.image);
  END IF;
  RETURN format($$
    SELECT (SELECT pgtrack._purged_versions($1, p.key)::integer + sum(g.versions)::integer
            FROM (SELECT l.until_id, (SELECT count(*) FROM %5$s h JOIN pgtrack.statement o ON o.relation_id = %4$s AND o.statement_id = h.pgtrack_statement_id
                                      WHERE %6$s AND h.pgtrack_statement_id > l.after_id AND h.pgtrack_statement_id <= l.until_id
                                        AND (h.pgtrack_statement_id, h.ctid) <= (c.pgtrack_statement_id, c.pgtrack_handle)) AS versions,
                         l.row_key = p.key AND c.pgtrack_statement_id > l.after_id AND c.pgtrack_statement_id <= l.until_id AS is_here
                  FROM pgtrack._lineage($1, p.key, (SELECT pgtrack._spellings(%4$s)), $5) l CROSS JOIN LATERAL jsonb_to_record(l.row_key) AS k(%2$s) OFFSET 0) g
            HAVING bool_or(g.is_here)) AS ver,
           CASE WHEN s.operation IN ('D', 'T') THEN NULL WHEN n.handle IS NOT NULL THEN n.image ELSE l.image END AS after
    FROM (SELECT %1$s AS key OFFSET 0) p
    LEFT JOIN LATERAL (
      SELECT h.ctid AS handle, CASE WHEN o.operation <> 'I' THEN %3$s END AS image
      FROM pgtrack._path(%4$s, p.key, c.pgtrack_statement_id, (SELECT pgtrack._spellings(%4$s)), true) g CROSS JOIN LATERAL jsonb_to_record(g.row_key) AS k(%2$s)
      JOIN %5$s h ON %6$s AND h.pgtrack_statement_id > g.after_id AND h.pgtrack_statement_id <= g.until_id
                 AND (h.pgtrack_statement_id, h.ctid) > (c.pgtrack_statement_id, c.pgtrack_handle)
      JOIN pgtrack.statement o ON o.relation_id = %4$s AND o.statement_id = h.pgtrack_statement_id
      ORDER BY h.pgtrack_statement_id, h.ctid LIMIT 1) n ON true
    LEFT JOIN LATERAL (
      SELECT %7$s AS image
      FROM (SELECT p.key WHERE n.handle IS NULL OFFSET 0) o
      CROSS JOIN LATERAL pgtrack._path(%4$s, o.key, c.pgtrack_statement_id, (SELECT pgtrack._spellings(%4$s)), false) g CROSS JOIN LATERAL jsonb_to_record(g.row_key) AS k(%2$s)
      JOIN %8$s t ON %9$s
      WHERE g.until_id = 9223372036854775807 LIMIT 1) l ON true$$,
    pgtrack._row_key_sql(p_shape, p_shape.key_json), p_shape.key_record, p_shape.image, p_shape.relation_id, p_shape.history, p_shape.history_is_key,
    p_shape.live_image, p_shape.live_table, p_shape.live_is_key);
END
$_moved_version_sql$;
COMMENT ON FUNCTION pgtrack._moved_version_sql(pgtrack.relation_shape) IS
  'The query for the number of a row''s change c and the row after it, in a table in which keys have changed.';

-- A key column whose recorded values could not take its present type shows what it was.
CREATE OR REPLACE FUNCTION pgtrack._shown_key_sql(p_shape pgtrack.relation_shape) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_shown_key_sql$
BEGIN
  RETURN (
  SELECT concat(p_shape.key_json, string_agg(
           format(' || CASE WHEN h.pgtrack_statement_id > %s AND h.pgtrack_statement_id <= %s THEN jsonb_build_object(%L, h.%I) ELSE ''{}'' END',
                  g.since, g.until, g.column_name, g.history_column), '' ORDER BY g.until))
  FROM pgtrack.relation_column g JOIN pgtrack.relation_column c ON c.relation_id = g.relation_id AND c.attnum = g.successor
  WHERE g.relation_id = p_shape.relation_id AND c.column_name = ANY (p_shape.keys));
END
$_shown_key_sql$;
COMMENT ON FUNCTION pgtrack._shown_key_sql(pgtrack.relation_shape) IS 'The key of h as JSON, for people: of images that were recorded under another type, too.';

-- A key may have been another row's before, which was deleted or has another key now. What it was is no part of the row that
-- has the key, and has no number among its versions.
CREATE OR REPLACE FUNCTION pgtrack._changes_of_others(p_table regclass, p_shape pgtrack.relation_shape, p_key jsonb)
RETURNS TABLE (statement_id bigint, handle tid, before jsonb, after jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_changes_of_others$
DECLARE
  v_others  text := format($$
    FROM jsonb_to_record($2) AS k(%s)
    CROSS JOIN LATERAL (SELECT h.ctid AS pgtrack_handle, h.* FROM %s h WHERE %s OFFSET 0) c
    JOIN pgtrack.statement s ON s.relation_id = %s AND s.statement_id = c.pgtrack_statement_id
      AND s.statement_id >= (SELECT r.key_since FROM pgtrack.relation r WHERE r.relation_id = s.relation_id)
      AND NOT EXISTS (SELECT FROM unnest($3, $4) AS l (after_id, until_id) WHERE s.statement_id > l.after_id AND s.statement_id <= l.until_id)$$,
    p_shape.key_record, p_shape.history, p_shape.history_is_key, p_shape.relation_id);
  v_after   bigint[];
  v_until   bigint[];
  v_exist   boolean;
BEGIN
  SELECT array_agg(l.after_id), array_agg(l.until_id) INTO v_after, v_until
  FROM pgtrack._lineage(p_table, p_key) l WHERE l.row_key = pgtrack._noted_key(p_shape.relation_id, p_key);
  -- Most keys have been one row's, and what is about several takes long to plan.
  EXECUTE 'SELECT EXISTS (SELECT' || v_others || ')' INTO v_exist USING p_table, p_key, v_after, v_until;
  IF v_exist THEN
    RETURN QUERY EXECUTE format('SELECT c.pgtrack_statement_id, c.pgtrack_handle, CASE WHEN s.operation <> ''I'' THEN %s END, v.after'
                                '%s CROSS JOIN LATERAL (SELECT c.*) h LEFT JOIN LATERAL (%s) v ON true',
                                p_shape.image, v_others, pgtrack._moved_version_sql(p_shape))
    USING p_table, p_key, v_after, v_until, p_shape;
  END IF;
END
$_changes_of_others$;
COMMENT ON FUNCTION pgtrack._changes_of_others(regclass, pgtrack.relation_shape, jsonb) IS 'The recorded changes under a key of rows other than the one whose history it leads to.';

CREATE OR REPLACE FUNCTION pgtrack._history_of_key(p_table regclass, p_key_as_given jsonb)
RETURNS TABLE (ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_history_of_key$
DECLARE
  v_shape  pgtrack.relation_shape;
BEGIN
  PERFORM pgtrack._require_history(p_table);
  IF EXISTS (SELECT FROM pgtrack.key_change c JOIN pgtrack.relation r USING (relation_id) WHERE r.relid = p_table) THEN
    v_shape := pgtrack._shape(p_table);
    RETURN QUERY
      SELECT NULL::integer, a.operation, a.at, a.who, pgtrack._changed_columns(c.before, c.after), c.before, c.after,
             a.xid, a.statement_id, a.application, a.client_addr, a.actor, a.message, a.query
      FROM pgtrack._changes_of_others(p_table, v_shape, pgtrack._key(v_shape, p_key_as_given)) c
      JOIN pgtrack.activity a ON a.relation_id = v_shape.relation_id AND a.statement_id = c.statement_id
      ORDER BY c.statement_id, c.handle;
  END IF;
  RETURN QUERY SELECT h.* FROM pgtrack._history(p_table, p_key_as_given) h;
END
$_history_of_key$;
COMMENT ON FUNCTION pgtrack._history_of_key(regclass, jsonb) IS 'Does the work of pgtrack.history(): first what the key was to other rows, then the history of the row.';

-- The latest changes of a table, or all those of one of its transactions. The row after a change is the image of its
-- next change, or the live row; where keys have changed, its lineage has to be followed. Before the primary key was
-- another one, neither is known.
CREATE OR REPLACE FUNCTION pgtrack._changes(p_table regclass, p_max bigint, p_which text)
RETURNS TABLE (row_pk jsonb, ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET row_security = on SET quote_all_identifiers = off AS $_changes$
DECLARE
  v_shape    pgtrack.relation_shape;
  v_version  text;
  v_since    bigint := (SELECT r.key_since FROM pgtrack.relation r WHERE r.relid = p_table);
  v_first    bigint;
  v_last     bigint;
BEGIN
  PERFORM pgtrack._require_history(p_table);
  v_shape := pgtrack._shape(p_table);
  IF v_shape.keys = '{}' THEN
    v_version := format('SELECT NULL::integer AS ver, CASE s.operation WHEN ''I'' THEN %s END AS after', v_shape.image);
  ELSIF EXISTS (SELECT FROM pgtrack.key_change k WHERE k.relation_id = v_shape.relation_id) THEN
    v_version := pgtrack._moved_version_sql(v_shape);
  ELSE
    v_version := pgtrack._version_sql(v_shape);
  END IF;
  IF v_since > 0 THEN
    v_version := format('SELECT x.* FROM (SELECT) one LEFT JOIN LATERAL (%s) x ON c.pgtrack_statement_id >= %s', v_version, v_since);
  END IF;
  -- One scan of the history from the statement on in which the wanted number of rows is reached.
  EXECUTE format($$
    SELECT min(x.statement_id), max(x.statement_id)
    FROM (SELECT s.statement_id, sum(s.row_count) OVER (ORDER BY s.statement_id DESC) - s.row_count AS later
          FROM pgtrack.statement s
          WHERE s.relation_id = %s AND %s
          ORDER BY s.statement_id DESC LIMIT $1) x
    WHERE x.later < $1$$, v_shape.relation_id, p_which)
  INTO v_first, v_last USING p_max;
  RETURN QUERY EXECUTE format($$
    SELECT l.key, l.ver, a.operation, a.at, a.who, pgtrack._changed_columns(l.before, l.after), l.before, l.after,
           a.xid, a.statement_id, a.application, a.client_addr, a.actor, a.message, a.query
    FROM (SELECT c.pgtrack_statement_id, %1$s AS key, v.ver, CASE WHEN s.operation <> 'I' THEN %2$s END AS before, v.after
          FROM (SELECT n.ctid AS pgtrack_handle, n.* FROM %3$s n WHERE n.pgtrack_statement_id BETWEEN $2 AND $4 ORDER BY n.pgtrack_statement_id DESC) c
          CROSS JOIN LATERAL (SELECT c.*) h
          JOIN pgtrack.statement s ON s.relation_id = %4$s AND s.statement_id = c.pgtrack_statement_id AND %6$s
          CROSS JOIN LATERAL (%5$s) v
          ORDER BY c.pgtrack_statement_id DESC LIMIT $3) l
    JOIN pgtrack.activity a ON a.relation_id = %4$s AND a.statement_id = l.pgtrack_statement_id
    ORDER BY l.pgtrack_statement_id DESC, l.key$$,
    CASE v_shape.keys WHEN '{}' THEN 'NULL::jsonb' ELSE pgtrack._shown_key_sql(v_shape) END, v_shape.image, v_shape.history,
    v_shape.relation_id, v_version, p_which)
  USING p_table, v_first, p_max, v_last, v_shape;
END
$_changes$;
COMMENT ON FUNCTION pgtrack._changes(regclass, bigint, text) IS 'The latest changes of a table by statements that meet a condition, newest first.';

CREATE OR REPLACE FUNCTION pgtrack.changes("table" text, max integer DEFAULT 20, schema text DEFAULT NULL)
RETURNS TABLE (row_pk jsonb, ver integer, op text, changed_at timestamptz, who text, what text[], before jsonb, after jsonb,
               xid bigint, statement_id bigint, application text, client_addr text, actor text, message text, query text)
LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT c.* FROM pgtrack._changes(pgtrack._table("table", schema), max, 'true') c;
END;
COMMENT ON FUNCTION pgtrack.changes(text, integer, text) IS 'The latest row changes of a table, newest first.';
