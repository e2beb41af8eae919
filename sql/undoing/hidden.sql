-- Where row security, or a right that is missing, hides rows or history from the role that writes, a revert would do a
-- part of what was planned and say nothing. There its statement looks, too, how many rows it finds.
CREATE OR REPLACE FUNCTION pgtrack._may_hide(p_table regclass, p_role name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_role = current_user THEN row_security_active(p_table)
              -- Of another role nothing tells but this: it is the owner.
              ELSE c.relrowsecurity AND c.relforcerowsecurity AND NOT (r.rolsuper OR r.rolbypassrls) END
         OR NOT has_table_privilege(p_role, p_table, 'SELECT')
  FROM pg_class c JOIN pg_roles r ON r.rolname = p_role
  WHERE c.oid = p_table;
END;
COMMENT ON FUNCTION pgtrack._may_hide(regclass, name) IS
  'Whether a role, the present or the owner of a table, may not see all of its rows and history.';

CREATE OR REPLACE FUNCTION pgtrack._has_row_trigger(p_table regclass, p_event integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- 1: for each row, 2: before.
  SELECT EXISTS (SELECT FROM pgtrack._members(p_table) m JOIN pg_trigger t ON t.tgrelid = m.relid
                 WHERE NOT t.tgisinternal AND t.tgtype & (3 | p_event) = 3 | p_event);
END;
COMMENT ON FUNCTION pgtrack._has_row_trigger(regclass, integer) IS
  'Whether a trigger of the application may leave a row as it is: event 8 is DELETE, 16 UPDATE, as in pg_trigger.tgtype.';

CREATE OR REPLACE FUNCTION pgtrack._hidden_sql(p_work pgtrack._work, p_shape pgtrack.relation_shape, p_role name, p_number integer)
RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_hidden_sql$
DECLARE
  v_by_image  text := format('%s h JOIN %s t ON %s', p_shape.history, p_shape.live_table, p_shape.live_is_history);
  v_by_key    text := format('CROSS JOIN LATERAL jsonb_to_record(x.key) AS k(%s) JOIN %s t ON %s',
                             p_shape.key_record, p_shape.live_table, p_shape.live_is_key);
  v_part      record;
  v_hidden    text[] := '{0}';
BEGIN
  IF NOT pgtrack._may_hide(p_work.relid, p_role) THEN
    RETURN '0::bigint';
  END IF;
  FOR v_part IN
    SELECT p.* FROM (VALUES
      ('', cardinality(p_work.inserts), format('%s h WHERE h.ctid = ANY (%L::tid[])', p_shape.history, p_work.inserts), ''),
      ('', cardinality(p_work.merges), format('%s WHERE h.ctid = ANY (%L::tid[])', v_by_image, p_work.merges), ''),
      ('updated', cardinality(p_work.updates), format('%s WHERE h.ctid = ANY (%L::tid[])', v_by_image, p_work.updates),
       coalesce(p_shape.differs, 'false')),
      ('updated_by_key', cardinality(p_work.keyed_updates),
       format('unnest(%L::tid[], %L::jsonb[]) AS x (handle, key) JOIN %s h ON h.ctid = x.handle %s',
              p_work.keyed_updates, p_work.updated_keys, p_shape.history, v_by_key), 'true'),
      ('deleted', cardinality(p_work.deletes), format('%s WHERE h.ctid = ANY (%L::tid[])', v_by_image, p_work.deletes), 'true'),
      ('deleted_by_key', cardinality(p_work.deleted_keys),
       format('unnest(%L::jsonb[]) AS x (key) %s', p_work.deleted_keys, v_by_key), 'true')
    ) AS p (done, planned, source, is_due)
    WHERE p.planned > 0
  LOOP
    v_hidden := v_hidden || CASE
      WHEN v_part.done = '' OR v_part.done LIKE 'updated%' AND p_shape.assignments IS NULL
           OR pgtrack._has_row_trigger(p_work.relid, CASE WHEN v_part.done LIKE 'deleted%' THEN 8 ELSE 16 END)
      THEN format('(SELECT %s - count(*) FROM %s)', v_part.planned, v_part.source)
      -- Policies for UPDATE and DELETE may be narrower than those for SELECT.
      ELSE format('(SELECT %s - count(*) + greatest(count(*) FILTER (WHERE %s) - (SELECT count(*) FROM %s_%s), 0) FROM %s)',
                  v_part.planned, v_part.is_due, v_part.done, p_number, v_part.source) END;
  END LOOP;
  RETURN array_to_string(v_hidden, ' + ');
END
$_hidden_sql$;
COMMENT ON FUNCTION pgtrack._hidden_sql(pgtrack._work, pgtrack.relation_shape, name, integer) IS
  'The expression, in the statement that does a revert, for how many of the rows that are planned it does not find.';
