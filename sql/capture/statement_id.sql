-- Statements inside statements. The setting pgtrack.open notes those that have begun, outermost first, such as
-- "7:1I:4711 7:2U": relation, trigger depth and operation, and the number once it is given. A number is given as late as
-- possible: a statement that waits for another session must come after what that one changed.
-- The note is sealed, and numbered by a sequence whose value in this session no client can set. A note with another
-- number than the latest is one that a savepoint was rolled back to, or that somebody put back by hand. It still says
-- which statements have begun; the numbers in it count only where that can be wrong for nobody else.

CREATE OR REPLACE FUNCTION pgtrack._note_open(p_open text[]) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_note_open$
BEGIN
  PERFORM set_config('pgtrack.open', CASE p_open WHEN '{}' THEN ''
    ELSE pgtrack._sealed('open', concat_ws(' ', nextval('pgtrack.open_seq'), array_to_string(p_open, ' '))) END, true);
END
$_note_open$;
COMMENT ON FUNCTION pgtrack._note_open(text[]) IS 'Writes the note of the statements that have begun.';

CREATE OR REPLACE FUNCTION pgtrack._open() RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_open$
DECLARE
  v_setting  text := nullif(current_setting('pgtrack.open', true), '');
  v_open     text[];
BEGIN
  IF v_setting IS NULL THEN
    RETURN '{}';
  END IF;
  v_open := coalesce(string_to_array(pgtrack._unsealed('open', v_setting), ' '), '{}');
  IF v_open = '{}' OR v_open[1]::bigint = currval('pgtrack.open_seq') THEN
    RETURN v_open[2:];
  END IF;
  RETURN ARRAY(
    SELECT CASE WHEN s.id IS NOT NULL AND EXISTS (
                  SELECT FROM pgtrack.statement o
                  WHERE o.relation_id = split_part(s.entry, ':', 1)::integer AND o.statement_id >= s.id
                    AND (o.statement_id = s.id OR o.xid <> pg_current_xact_id()))
                THEN left(s.entry, -1 - length(s.id::text)) ELSE s.entry END
    FROM (SELECT o.entry, o.position, nullif(split_part(o.entry, ':', 3), '')::bigint AS id
          FROM unnest(v_open[2:]) WITH ORDINALITY AS o (entry, position)) s
    ORDER BY s.position);
END
$_open$;
COMMENT ON FUNCTION pgtrack._open() IS 'The statements of this transaction that have begun, as far as the note of them can be believed.';

-- The query of a foreign key that acts belongs to the statement that it acts for: its BEFORE trigger runs inside the foreign
-- key's own trigger, its AFTER triggers run beside that. Its text, which no setting changes, is all that tells.
CREATE OR REPLACE FUNCTION pgtrack._depth_after(p_depth integer, p_context text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_depth_after$
BEGIN
  -- Below our own line stands the query, and below that of another trigger its function.
  IF split_part(p_context, E'\n', 2) ~ $r$"?(UPDATE|DELETE FROM) (ONLY )?".* WHERE \$\d.* OPERATOR\($r$ AND split_part(p_context, E'\n', 3) !~ '^PL/' THEN
    RETURN p_depth - 1;
  END IF;
  RETURN p_depth;
END
$_depth_after$;
COMMENT ON FUNCTION pgtrack._depth_after(integer, text) IS
  'The trigger depth at which the AFTER triggers of a statement will run, by that of its BEFORE trigger and the context there.';

-- Each table has a function of its own: who may make triggers with it changes with each DDL (_let_owners_make_triggers), and
-- DDL on another table must not wait for that.
CREATE OR REPLACE FUNCTION pgtrack._generate_open(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_generate_open$
DECLARE
  v_may_be_acted_on  boolean := pgtrack._has_acting_key(r.relid) FROM pgtrack.relation r WHERE r.relation_id = p_relation;
BEGIN
  PERFORM pgtrack._create_recorder(p_relation, format('open_%s', p_relation)::name, CASE WHEN v_may_be_acted_on THEN 'context text;' ELSE '' END,
    'SET search_path = pg_catalog, pg_temp',
    concat(CASE WHEN v_may_be_acted_on THEN E'GET DIAGNOSTICS context = PG_CONTEXT;\n  ' END,
           format('PERFORM pgtrack._note_open(pgtrack._open() || concat(%L, %s, left(TG_OP, 1)));', p_relation || ':',
                  CASE WHEN v_may_be_acted_on THEN 'pgtrack._depth_after(pg_trigger_depth(), context)' ELSE 'pg_trigger_depth()' END)),
    'Notes that a statement on @ has begun.');
END
$_generate_open$;
COMMENT ON FUNCTION pgtrack._generate_open(integer) IS
  'Writes the function that notes that a statement on a table has begun. SECURITY DEFINER, as whoever writes the table cannot seal the note.';

-- Of what one query does, an INSERT comes last (capture/one_query.sql): so what has begun after it, and is not over, has its
-- number first. What began before it may be a statement that goes on, and has called a function that inserts.
CREATE OR REPLACE FUNCTION pgtrack._statement_id(p_relation integer, p_operation text, p_depth integer, p_is_over boolean, p_is_ranked boolean) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_statement_id$
DECLARE
  v_open   text[] := pgtrack._open();
  v_own    integer;
  v_other  integer;
  v_id     bigint;
BEGIN
  FOR i IN 1 .. cardinality(v_open) LOOP
    IF split_part(v_open[i], ':', 1)::integer = p_relation AND split_part(v_open[i], ':', 2) = p_depth || p_operation THEN
      v_own := i;
    END IF;
  END LOOP;
  IF cardinality(v_open) > (v_own IS NOT NULL)::integer THEN
    FOR v_other IN
      SELECT e.position
      FROM (SELECT o.position, left(split_part(o.entry, ':', 2), -1)::integer AS depth,
                   CASE WHEN p_is_ranked THEN strpos('DUI', right(split_part(o.entry, ':', 2), 1)) END AS rank
            FROM unnest(v_open) WITH ORDINALITY AS o (entry, position)
            WHERE split_part(o.entry, ':', 1)::integer = p_relation AND split_part(o.entry, ':', 3) = '') e
      WHERE e.depth < p_depth OR e.depth = p_depth AND e.position > v_own AND e.rank < strpos('DUI', p_operation)
      ORDER BY e.depth, e.rank, e.position
    LOOP
      v_open[v_other] := v_open[v_other] || ':' || nextval('pgtrack.statement_id_seq');
    END LOOP;
  END IF;
  IF v_own IS NULL THEN
    -- pgtrack_open is missing. What comes before the end of the statement cannot know its number then.
    RETURN CASE WHEN p_is_over THEN nextval('pgtrack.statement_id_seq') END;
  END IF;
  IF split_part(v_open[v_own], ':', 3) = '' THEN
    v_open[v_own] := v_open[v_own] || ':' || nextval('pgtrack.statement_id_seq');
  END IF;
  v_id := split_part(v_open[v_own], ':', 3);
  IF p_is_over THEN
    v_open := v_open[:v_own - 1] || v_open[v_own + 1:];
  END IF;
  PERFORM pgtrack._note_open(v_open);
  RETURN v_id;
END
$_statement_id$;
COMMENT ON FUNCTION pgtrack._statement_id(integer, text, integer, boolean, boolean) IS
  'The number of a statement that has begun at a trigger depth, after all those around it have theirs; p_is_over takes it off the note, '
  'p_is_ranked says that a query can do nothing to what it has inserted. Null if it is not over and nobody has noted that it began.';
