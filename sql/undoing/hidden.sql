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

CREATE OR REPLACE FUNCTION pgtrack._hidden_sql(p_work pgtrack._work, p_steps pgtrack._step[], p_shape pgtrack.relation_shape, p_role name)
RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN pgtrack._may_hide(p_work.relid, p_role) THEN concat_ws(' + ', format(
      '(SELECT %s - count(*) FROM %s h WHERE h.ctid = ANY (%L::tid[]))',
      coalesce(cardinality(p_work.inserts), 0), p_shape.history, p_work.inserts), (
    SELECT string_agg(format('(SELECT %s - count(*) FROM %s)', coalesce(s.row_count, cardinality(s.places)), CASE
        WHEN NOT pgtrack._has_row_trigger(p_work.relid, CASE s.kind WHEN 'delete' THEN 8 ELSE 16 END)
        -- Policies for UPDATE and DELETE may be narrower than those for SELECT.
        THEN format('%s_%s_%s', CASE s.kind WHEN 'delete' THEN 'deleted' WHEN 'update' THEN 'updated' ELSE 'inserted' END, s.number, s.step)
        ELSE format('%s JOIN %s t ON %s', f.source, p_shape.live_table, f.is_place) END), ' + ')
    FROM unnest(p_steps) WITH ORDINALITY AS s (number, kind, columns, places, leaves, handles, masks, is_moved, is_ordered, images, row_count, step)
    CROSS JOIN LATERAL pgtrack._step_source(p_steps[s.step], p_shape) f
    WHERE s.kind <> 'insert' OR s.images IS NOT NULL))
  ELSE '0::bigint' END;
END;
COMMENT ON FUNCTION pgtrack._hidden_sql(pgtrack._work, pgtrack._step[], pgtrack.relation_shape, name) IS
  'The expression, in the statement that does a revert, for how many of the rows that are planned it does not find.';
