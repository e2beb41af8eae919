-- By values as they are stored: no row of the table's type is made, whose domains might make checks.
CREATE OR REPLACE FUNCTION pgtrack._image_refers_sql(p_constraint pg_constraint, p_child regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(CASE WHEN c.history_column IS NULL THEN 'false'
                         ELSE pgtrack._stored_is_sql(pgtrack._foreign_kind(pa.atttypid), u.equality, NULL,
                                pgtrack._output_sql(format('p.%I', pa.attname), pa.atttypid), pgtrack._recorded(c, 'h')) END, ' AND ')
  FROM unnest(p_constraint.conkey, p_constraint.confkey, p_constraint.conpfeqop) AS u (child, parent, equality)
  JOIN pg_attribute ca ON ca.attrelid = p_constraint.conrelid AND ca.attnum = u.child
  JOIN pg_attribute pa ON pa.attrelid = p_constraint.confrelid AND pa.attnum = u.parent
  -- Columns of a partition may have other numbers.
  LEFT JOIN pg_attribute a ON a.attrelid = p_child AND a.attname = ca.attname
  LEFT JOIN pgtrack.relation r ON r.relid = p_child
  LEFT JOIN pgtrack.relation_column c ON c.relation_id = r.relation_id AND pgtrack._attnum(r.relid, c.column_name, c.attnum) = a.attnum;
END;
COMMENT ON FUNCTION pgtrack._image_refers_sql(pg_constraint, regclass) IS
  'The condition that the image h, of a table that a foreign key is of or of one of whose partitions it is, refers to the row p.';

-- Foreign keys act on rows whatever policies hide.
CREATE OR REPLACE FUNCTION pgtrack._refuse_hidden_referrers(p_table regclass, p_reader name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_hidden_referrers$
BEGIN
  IF EXISTS (SELECT FROM pg_class c JOIN pg_roles r ON r.rolname = p_reader
             WHERE c.oid = p_table AND c.relrowsecurity AND NOT (r.rolsuper OR r.rolbypassrls)
               AND (c.relforcerowsecurity OR NOT pg_has_role(r.oid, c.relowner, 'USAGE'))) THEN
    RAISE EXCEPTION 'cannot tell whether rows of % would be deleted or changed too', p_table USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('It refers by a foreign key to rows that this would delete or give other keys, and row security may hide some of its rows from %s.', p_reader),
      HINT = 'Let a role do it whom no policy holds: the owner of that table where it does not force row security, or one with BYPASSRLS.';
  END IF;
END
$_refuse_hidden_referrers$;
COMMENT ON FUNCTION pgtrack._refuse_hidden_referrers(regclass, name) IS 'Refuses where a role may not see all rows that a foreign key would change.';

-- Anybody may own a table that refers to one of those that are undone, and nobody has named it. Whoever has more rights
-- looks into it as its owner, whose code may run then. Others do it themselves, unless code of the owner might run: the
-- lock keeps that from being added meanwhile.
CREATE OR REPLACE FUNCTION pgtrack._reader_of_referrer(p_table regclass, p_writer name) RETURNS name
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_reader_of_referrer$
DECLARE
  v_owner     name := pgtrack._owner_of(p_table);
  v_reader    name := CASE WHEN v_owner = p_writer THEN p_writer ELSE current_user END;
  v_function  text;
BEGIN
  PERFORM pgtrack._require_present_owner(p_table);
  IF v_owner = current_user OR (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = current_user) THEN
    PERFORM pgtrack._refuse_hidden_referrers(p_table, v_owner);
    RETURN v_owner;
  END IF;
  IF pgtrack._hold_definition(p_table) THEN
    v_function := 'the code of ' || pgtrack._foreign_expression(p_table);
  ELSIF NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = v_owner) THEN
    v_function := 'an index or statistics that are made meanwhile';
  END IF;
  IF v_function IS NULL AND pgtrack._snapshot_lasts()
     AND NOT (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = v_owner) THEN
    v_function := 'what has come since this transaction''s snapshot';
  END IF;
  IF v_function IS NOT NULL AND v_owner <> p_writer THEN
    RAISE EXCEPTION 'cannot tell whether rows of % would be deleted too', p_table USING
      ERRCODE = 'insufficient_privilege',
      DETAIL = format('It refers by a foreign key to rows that this would delete. To look into it might run %s, with your rights.', v_function),
      HINT = format('Let %s, who owns it, say whether its rows may go, and delete them first.', v_owner);
  END IF;
  PERFORM pgtrack._refuse_hidden_referrers(p_table, v_reader);
  RETURN v_reader;
END
$_reader_of_referrer$;
COMMENT ON FUNCTION pgtrack._reader_of_referrer(regclass, name) IS 'As whom to look into a table that refers to others, or an error.';

-- The columns that a foreign key refers to, as values that travel from one role to another.
CREATE OR REPLACE FUNCTION pgtrack._referred_sql(p_constraint pg_constraint, OUT record text, OUT record_columns text, OUT refers text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format('jsonb_build_object(%s)', string_agg(format('%L, %s', 'c' || u.child, pgtrack._output_sql(format('p.%I', pa.attname), pa.atttypid)), ', ')),
         string_agg(format('c%s %s', u.child, pgtrack._stored_type(pa.atttypid, pa.atttypmod)), ', '),
         string_agg(pgtrack._stored_is_sql(pgtrack._foreign_kind(pa.atttypid), u.equality, NULL, format('p.c%s', u.child),
                                           pgtrack._output_sql(format('t.%I', ca.attname), ca.atttypid)), ' AND ')
  FROM unnest(p_constraint.conkey, p_constraint.confkey, p_constraint.conpfeqop) AS u (child, parent, equality)
  JOIN pg_attribute ca ON ca.attrelid = p_constraint.conrelid AND ca.attnum = u.child
  JOIN pg_attribute pa ON pa.attrelid = p_constraint.confrelid AND pa.attnum = u.parent;
END;
COMMENT ON FUNCTION pgtrack._referred_sql(pg_constraint) IS
  'For the rows p that a foreign key refers to: the columns of theirs as JSON, the columns of a record of that, and the condition that the row t refers to it.';

CREATE OR REPLACE FUNCTION pgtrack._acted_on_sql(p_constraint pg_constraint, p_steps pgtrack._step[], p_kind text, p_shape pgtrack.relation_shape)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  WITH referred AS MATERIALIZED (
    SELECT array_agg(u.number::integer) AS numbers
    FROM unnest(p_shape.updated) WITH ORDINALITY AS u (name, number)
    JOIN pg_attribute a ON a.attrelid = p_constraint.confrelid AND a.attnum = ANY (p_constraint.confkey) AND quote_ident(a.attname) = u.name
  )
  SELECT format('WITH p AS MATERIALIZED (%s)', string_agg(format('SELECT t.* FROM %s JOIN %s t ON %s%s%s', f.source, p_shape.live_table, f.is_place, m.is_set,
    -- A foreign key to a partition is not about rows in others.
    (SELECT format(' AND t.tableoid = ANY (%L::oid[])', ARRAY(SELECT m.relid::oid FROM pgtrack._members(c.oid) m))
     FROM pg_class c WHERE c.oid = p_constraint.confrelid AND c.relispartition)), ' UNION ALL '))
  FROM unnest(p_steps) s
  CROSS JOIN LATERAL pgtrack._step_source(s, p_shape) f
  CROSS JOIN referred r
  CROSS JOIN LATERAL (SELECT CASE WHEN p_kind = 'update' AND s.masks IS NOT NULL THEN format(' AND (%s)', (
    SELECT string_agg(pgtrack._is_given_sql(s, p_shape, n), ' OR ') FROM unnest(r.numbers) n)) END AS is_set) m
  WHERE s.kind = p_kind AND (p_kind = 'delete' OR s.columns && r.numbers)
  HAVING count(*) > 0;
END;
COMMENT ON FUNCTION pgtrack._acted_on_sql(pg_constraint, pgtrack._step[], text, pgtrack.relation_shape) IS
  'The part p for the rows of a table that a revert deletes, or gives other values that a foreign key refers to; null for none.';

CREATE OR REPLACE FUNCTION pgtrack._live_refers_sql(p_constraint pg_constraint) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT string_agg(pgtrack._stored_is_sql(pgtrack._foreign_kind(pa.atttypid), u.equality, NULL,
                      pgtrack._output_sql(format('p.%I', pa.attname), pa.atttypid),
                      pgtrack._output_sql(format('t.%I', ca.attname), ca.atttypid)), ' AND ')
  FROM unnest(p_constraint.conkey, p_constraint.confkey, p_constraint.conpfeqop) AS u (child, parent, equality)
  JOIN pg_attribute ca ON ca.attrelid = p_constraint.conrelid AND ca.attnum = u.child
  JOIN pg_attribute pa ON pa.attrelid = p_constraint.confrelid AND pa.attnum = u.parent;
END;
COMMENT ON FUNCTION pgtrack._live_refers_sql(pg_constraint) IS 'The condition that the row t refers, by a foreign key, to the row p.';

-- A row that is deleted must not take along rows that the revert does not know of, nor those that it inserts or sets back
-- if they refer to the row then, too. Nor must one that gets another key make them forget whom they refer to.
CREATE OR REPLACE FUNCTION pgtrack._refuse_cascade(
  p_table regclass, p_key pg_constraint, p_kind text, p_action "char", p_steps pgtrack._step[], p_work pgtrack._work[], p_columns text[], p_writer name
) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_refuse_cascade$
DECLARE
  v_parent    pgtrack.relation_shape := pgtrack._shape(p_table, p_columns);
  v_work      pgtrack._work;
  v_child     record;
  v_refers    text;
  v_spared    text;
  v_as_image  text;
  v_arriving  text;
  v_reader    name;
  v_table     text;
  v_acted_on  text;
  v_query     text;
  v_referred  record;
  v_values    jsonb;
  v_count     bigint;
BEGIN
  v_acted_on := pgtrack._acted_on_sql(p_key, p_steps, p_kind, v_parent);
  IF v_acted_on IS NULL THEN
    RETURN;
  END IF;
  -- Who refers to a row goes on doing so, and nothing of it is lost.
  IF p_kind = 'update' AND p_action = 'c' THEN
    PERFORM pgtrack._refuse_forgetting(p_key, v_acted_on, p_writer);
    RETURN;
  END IF;
  v_reader := pgtrack._reader_of_referrer(p_key.conrelid, p_writer);
  -- A foreign key is about the table alone, or about its partitions.
  v_table := CASE (SELECT c.relkind FROM pg_class c WHERE c.oid = p_key.conrelid) WHEN 'p' THEN '' ELSE 'ONLY ' END || p_key.conrelid::regclass;
  v_refers := pgtrack._live_refers_sql(p_key);
  v_spared := 'true';
  v_arriving := '0';
  SELECT * INTO v_work FROM unnest(p_work) w
  WHERE w.relid = pgtrack._table_with(p_key.conrelid, ARRAY(SELECT o.relid FROM unnest(p_work) o));
  IF v_work.relid IS NOT NULL THEN
    SELECT * INTO v_child FROM pgtrack._shape(v_work.relid);
    v_as_image := format('(SELECT WHERE %s)', pgtrack._image_refers_sql(p_key, v_work.relid));
    v_spared := format(
      'NOT EXISTS (SELECT FROM %1$s h WHERE h.ctid = ANY (%2$L::tid[]) AND %3$s)'
      ' AND NOT EXISTS (SELECT FROM %1$s h WHERE h.ctid = ANY (%4$L::tid[]) AND %3$s AND NOT EXISTS %5$s)'
      ' AND NOT EXISTS (SELECT FROM unnest(%6$L::tid[], %7$L::tid[], %13$L::jsonb[]) x (handle, base, key) JOIN %1$s h ON h.ctid = x.handle'
      '   WHERE x.key IS NULL AND %3$s AND NOT EXISTS %5$s AND (SELECT EXISTS %5$s FROM %1$s h WHERE h.ctid = x.base))'
      ' AND NOT EXISTS (SELECT FROM unnest(%8$L::jsonb[]) x CROSS JOIN LATERAL jsonb_to_record(x) AS k(%9$s) WHERE %10$s)'
      ' AND NOT EXISTS (SELECT FROM unnest(%11$L::tid[], %12$L::jsonb[]) x (handle, key)'
      '   CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%9$s) JOIN %1$s h ON h.ctid = x.handle WHERE %10$s AND NOT EXISTS %5$s)',
      v_child.history, coalesce(v_work.deletes, '{}'), v_child.live_is_history, coalesce(v_work.updates, '{}'), v_as_image,
      coalesce(v_work.merges, '{}'), coalesce(v_work.merge_bases, '{}'), coalesce(v_work.deleted_keys, '{}'), v_child.key_record,
      v_child.live_is_key, coalesce(v_work.keyed_updates, '{}'), coalesce(v_work.updated_keys, '{}'), coalesce(v_work.merge_keys, '{}'));
    -- Rows that come to refer to it do so before the foreign key acts: to a key in another spelling, or one that changes rows.
    v_arriving := format(
      '(SELECT count(*) FROM p JOIN %1$s h ON EXISTS %2$s WHERE h.ctid = ANY (%3$L::tid[])'
      '   OR h.ctid = ANY (%4$L::tid[]) AND NOT EXISTS (SELECT FROM %5$s t WHERE %6$s AND %7$s))',
      v_child.history, v_as_image, coalesce(v_work.inserts, '{}'), coalesce(v_work.updates, '{}') || coalesce(v_work.keyed_updates, '{}'),
      v_table, v_child.live_is_history, v_refers);
  END IF;
  IF v_reader IN (p_writer, current_user) THEN
    v_query := format('%s SELECT (SELECT count(*) FROM %s t JOIN p ON %s WHERE %s) + %s AS count', v_acted_on, v_table, v_refers, v_spared, v_arriving);
  ELSE
    -- Somebody else's table has no part in this undo; it is told what would be deleted.
    SELECT * INTO v_referred FROM pgtrack._referred_sql(p_key);
    v_query := format('%s SELECT coalesce(jsonb_agg(%s), ''[]'') AS values FROM p', v_acted_on, v_referred.record);
    IF p_writer = current_user THEN
      EXECUTE v_query INTO v_values;
    ELSE
      SELECT r -> 'values' INTO v_values FROM pgtrack._as_role(p_writer, '{}', v_query) r;
    END IF;
    v_query := format('SELECT count(*) AS count FROM %s t JOIN jsonb_to_recordset(%L) AS p (%s) ON %s',
                      v_table, v_values, v_referred.record_columns, v_referred.refers);
  END IF;
  IF v_reader <> current_user THEN
    SELECT (r ->> 'count')::bigint INTO v_count FROM pgtrack._as_role(v_reader, '{}', v_query) r;
  ELSE
    EXECUTE v_query INTO v_count;
  END IF;
  IF v_count > 0 THEN
    RAISE EXCEPTION 'rows of % refer to rows of % that this would %', p_key.conrelid::regclass, v_parent.name,
      CASE p_kind WHEN 'delete' THEN 'delete' ELSE 'give another key' END USING
      ERRCODE = 'foreign_key_violation',
      DETAIL = format('The foreign key %I would %s %s of them too.', p_key.conname,
                      CASE p_action WHEN 'c' THEN 'delete' ELSE 'change' END, v_count),
      HINT = CASE p_kind WHEN 'delete' THEN 'Delete those rows first, or undo what made them.'
                             ELSE 'Let those rows refer to others first, or undo what made them.' END,
      CONSTRAINT = p_key.conname, TABLE = p_key.conrelid::regclass::text;
  END IF;
END
$_refuse_cascade$;
COMMENT ON FUNCTION pgtrack._refuse_cascade(regclass, pg_constraint, text, "char", pgtrack._step[], pgtrack._work[], text[], name) IS
  'Refuses a revert whose steps in a table would change, by a foreign key that refers to it, rows that the revert does not know of.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_cascades(p_work pgtrack._work[], p_steps pgtrack._step[], p_columns text[], p_writer name) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET jit = off AS $_refuse_cascades$
BEGIN
  PERFORM pgtrack._refuse_cascade(w.relid, c, a.kind, a.action, ARRAY(SELECT s FROM unnest(p_steps) s WHERE s.number = w.number), p_work, p_columns, p_writer)
  FROM (SELECT u.relid, row_number() OVER () AS number FROM unnest(p_work) u) w
  CROSS JOIN LATERAL pgtrack._foreign_keys_to(w.relid) c
  JOIN LATERAL (VALUES ('delete', c.confdeltype), ('update', c.confupdtype)) AS a (kind, action) ON a.action IN ('c', 'n', 'd');
END
$_refuse_cascades$;
COMMENT ON FUNCTION pgtrack._refuse_cascades(pgtrack._work[], pgtrack._step[], text[], name) IS
  'Refuses a revert that would, by ON DELETE CASCADE or SET NULL, or ON UPDATE SET NULL, change rows that it does not know of.';
