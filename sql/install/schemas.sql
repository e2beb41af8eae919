COMMENT ON SCHEMA pgtrack IS
  'pg_track: functions to read and revert the history of tracked tables. Start with SELECT * FROM pgtrack.help().';

COMMENT ON SCHEMA pgtrack_history IS
  'pg_track: one history table, and the functions that fill it, for each tracked table.';

-- Internal functions of an earlier installation go, as their signatures may have changed; those that policies, triggers and
-- views stand on stay. Nothing of ours depends on the others: the verbs name them in text that is read when they run.
-- One on which something of somebody else's stands is left to that under another name, without rights of its own.
-- A verb from before it took columns, or a plan from before it took on_conflict, goes, too: a call could mean either.
DO $replace$
DECLARE
  v_function  regprocedure;
  v_name      name;
  v_left      name;
  v_others    text;
BEGIN
  FOR v_function, v_name IN
    SELECT p.oid, p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'pgtrack'
      AND (p.proname LIKE $r$\_%$r$
           OR p.proname ~ '^(plan_)?(undo|revert|rollback_to)(_pk|_transactions?|_statements|_where)?$' AND NOT 'columns' = ANY (p.proargnames)
           OR p.proname ~ '^plan_((undo|revert|rollback_to|restore)(_pk)?|undo_(transactions?|statements|where|last)|outline|batches)$'
              AND NOT 'on_conflict' = ANY (coalesce(p.proargnames, '{}')))
      AND p.proname NOT IN ('_may_read', '_sees_every_row', '_sees_row', '_sees_image', '_image_check', '_sees_key_change', '_acts_for_owner',
                            '_client_addr', '_operation', '_actor', '_comment_tags', '_text_roles', '_some_text_is_hidden', '_concerns_hidden',
                            '_proxy_record', '_database_record', '_sizes', '_is_granted', '_refuse_others')
    -- Event triggers go first: until they are there again, nothing asks for what they call.
    ORDER BY p.prorettype = 'event_trigger'::regtype DESC
  LOOP
    -- It may have gone with one that it stood on.
    CONTINUE WHEN NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = v_function);
    -- Through what is ours to what is not. Somebody may make it at any moment, so each is asked for right before.
    WITH RECURSIVE standing (classid, objid, is_ours) AS (
      SELECT 'pg_proc'::regclass::oid, v_function::oid, true
      UNION
      SELECT x.classid, x.objid, x.classid = 'pg_event_trigger'::regclass OR coalesce(x.schema IN ('pgtrack', 'pgtrack_history'), false)
      FROM standing s
      CROSS JOIN LATERAL (
        SELECT o.classid, o.objid, (pg_identify_object_as_address(o.classid, o.objid, 0)).object_names[1] AS schema
        FROM (SELECT d.classid, d.objid FROM pg_depend d WHERE d.refclassid = s.classid AND d.refobjid = s.objid
              UNION ALL SELECT 'pg_class'::regclass, r.ev_class FROM pg_rewrite r
              WHERE s.classid = 'pg_rewrite'::regclass AND r.oid = s.objid) o) x
      WHERE s.is_ours)
    SELECT string_agg(DISTINCT pg_describe_object(s.classid, s.objid, 0), ', ') INTO v_others FROM standing s WHERE NOT s.is_ours;
    IF v_others IS NOT NULL THEN
      v_left := format('_left_%s', v_function::oid);
      RAISE WARNING '% is left, under the name %, to what stands on it: %', v_function, v_left, v_others USING
        HINT = 'Functions whose names begin with _ are for pg_track alone, and change. Drop what stands on it, then the function.';
      EXECUTE format('ALTER FUNCTION %s SECURITY INVOKER', v_function);
      IF v_name <> v_left THEN
        EXECUTE format('ALTER FUNCTION %s RENAME TO %I', v_function, v_left);
      END IF;
      CONTINUE;
    END IF;
    BEGIN
      EXECUTE format('DROP FUNCTION %s CASCADE', v_function);
    -- It belongs to an extension, and this is not ALTER EXTENSION.
    EXCEPTION WHEN dependent_objects_still_exist THEN
      NULL;
    END;
  END LOOP;
END
$replace$;
