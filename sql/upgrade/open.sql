-- Before revision 3 one function noted the statements on all tables. Triggers that call it are replaced where that keeps no
-- writer waiting and the installing role may; the others go on with it until DDL on their table renews them.
DO $open$
BEGIN
  IF to_regproc('pgtrack_history.open') IS NOT NULL THEN
    CREATE OR REPLACE FUNCTION pgtrack_history.open() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      PERFORM pgtrack._note_open(pgtrack._open() || concat(TG_ARGV[0], ':', pg_trigger_depth(), left(TG_OP, 1)));
      RETURN NULL;
    END $$;
    COMMENT ON FUNCTION pgtrack_history.open() IS
      'Notes that a statement has begun, for triggers of an earlier revision. SECURITY DEFINER: whoever writes the table cannot seal the note.';
  END IF;
END
$open$;

CREATE OR REPLACE FUNCTION pgtrack._renew_open(p_relation integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_renew_open$
BEGIN
  IF to_regproc('pgtrack_history.open') IS NULL
     OR EXISTS (SELECT FROM pgtrack._trigger_changes(p_relation) c WHERE c.name <> 'pgtrack_open') THEN
    RETURN false;
  END IF;
  FOR attempt IN 1 .. 5 LOOP
    BEGIN
      PERFORM pgtrack._generate_triggers(p_relation, false);
      RETURN true;
    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
      PERFORM pg_sleep(0.05 + random() * 0.1);
    WHEN insufficient_privilege THEN
      RETURN true;
    END;
  END LOOP;
  RETURN true;
END
$_renew_open$;
COMMENT ON FUNCTION pgtrack._renew_open(integer) IS
  'Lets the triggers of a table call its own function, not open(), or leaves them; false if other triggers of it have to be mended, too.';

CREATE OR REPLACE FUNCTION pgtrack._drop_open() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_drop_open$
DECLARE
  v_function  oid := to_regproc('pgtrack_history.open');
BEGIN
  IF v_function IS NOT NULL AND NOT EXISTS (
       SELECT FROM pg_depend d
       WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = v_function AND d.classid = 'pg_trigger'::regclass) THEN
    DROP FUNCTION pgtrack_history.open();
  END IF;
-- It belongs to an extension, and this is not ALTER EXTENSION.
EXCEPTION WHEN dependent_objects_still_exist THEN
  RAISE DEBUG '%', SQLERRM;
END
$_drop_open$;
COMMENT ON FUNCTION pgtrack._drop_open() IS 'Drops open() once no trigger calls it any more.';
