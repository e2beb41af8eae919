COMMENT ON SCHEMA pgtrack IS
  'pg_track: functions to read and revert the history of tracked tables. Start with SELECT * FROM pgtrack.help().';

COMMENT ON SCHEMA pgtrack_history IS
  'pg_track: one history table, and the functions that fill it, for each tracked table.';

-- Internal functions of an earlier installation go, as their signatures may have changed; those that policies and
-- views stand on stay. Nothing of ours depends on the others: the verbs name them in text that is read when they run.
-- What somebody else has made to stand on them goes along, and is named.
-- A verb from before it took columns, or a plan from before it took on_conflict, goes, too: a call could mean either.
DO $replace$
DECLARE
  v_function  regprocedure;
  v_others    text;
BEGIN
  FOR v_function IN
    SELECT p.oid FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'pgtrack'
      AND (p.proname LIKE $r$\_%$r$
           OR p.proname ~ '^(plan_)?(undo|revert|rollback_to)(_pk|_transactions?|_statements|_where)?$' AND NOT 'columns' = ANY (p.proargnames)
           OR p.proname ~ '^plan_((undo|revert|rollback_to|restore)(_pk)?|undo_(transactions?|statements|where|last)|outline|batches)$'
              AND NOT 'on_conflict' = ANY (coalesce(p.proargnames, '{}')))
      AND p.proname NOT IN ('_may_read', '_sees_every_row', '_sees_row', '_sees_image', '_image_check', '_sees_key_change', '_acts_for_owner',
                            '_client_addr', '_operation', '_actor', '_comment_tags', '_text_roles', '_some_text_is_hidden', '_concerns_hidden',
                            '_proxy_record', '_database_record', '_sizes')
    -- Event triggers go first: until they are there again, nothing asks for what they call.
    ORDER BY p.prorettype = 'event_trigger'::regtype DESC
  LOOP
    -- It may have gone with one that it stood on.
    CONTINUE WHEN NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = v_function);
    SELECT string_agg(pg_describe_object(d.classid, d.objid, d.objsubid), ', ') INTO v_others
    FROM pg_depend d
    WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = v_function
      AND d.classid = ANY ('{pg_rewrite,pg_proc,pg_policy,pg_attrdef,pg_constraint}'::regclass[])
      AND (pg_identify_object(d.classid, d.objid, d.objsubid)).identity !~ $r$\mpgtrack(_history)?\.$r$;
    IF v_others IS NOT NULL THEN
      RAISE WARNING 'dropped with %: %', v_function, v_others USING HINT = 'Functions whose names begin with _ are for pg_track alone.';
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
