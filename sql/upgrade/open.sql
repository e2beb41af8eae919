-- Before revision 3 one function noted the statements on all tables. Triggers that call it are replaced where that keeps no
-- writer waiting and the installing role may; the others go on with it until DDL on their table renews them. Whoever restores
-- a dump from then makes such triggers, too.
CREATE OR REPLACE FUNCTION pgtrack_history.open() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $open$
BEGIN
  PERFORM pgtrack._note_open(pgtrack._open() || concat(TG_ARGV[0], ':', pg_trigger_depth(), left(TG_OP, 1)));
  RETURN NULL;
END
$open$;
COMMENT ON FUNCTION pgtrack_history.open() IS
  'Notes that a statement has begun, for triggers of an earlier revision. SECURITY DEFINER: whoever writes the table cannot seal the note.';

CREATE OR REPLACE FUNCTION pgtrack._renew_open(p_relation integer) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $_renew_open$
BEGIN
  IF (SELECT count(*) FILTER (WHERE c.name = 'pgtrack_open') = 0 OR count(*) FILTER (WHERE c.name NOT IN ('pgtrack_open', 'pgtrack_update_key')) > 0
      FROM pgtrack._trigger_changes(p_relation) c) THEN
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
