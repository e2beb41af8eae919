-- The verbs act with their caller's rights, so a verb has no secret that its caller could not use as well. Who records a
-- call shows in the call stack alone, which nobody can write: it has a line for each PL/pgSQL function, with its name as
-- the catalog has it. What stands in a name that has to be quoted stands in quotes there, and nobody else makes functions
-- in our schema. A verb calls _begin_call() in an assignment, which adds no line; what is around it is text of the
-- application's, may have line breaks, and is not looked at.
CREATE OR REPLACE FUNCTION pgtrack._stack() RETURNS text[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_stack$
DECLARE
  v_stack  text;
BEGIN
  GET DIAGNOSTICS v_stack = PG_CONTEXT;
  RETURN string_to_array(v_stack, E'\n');
END
$_stack$;
COMMENT ON FUNCTION pgtrack._stack() IS 'The call stack: this function, what called it, and so on.';

CREATE OR REPLACE FUNCTION pgtrack._caller(p_stack text[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- The words around a name are translated, and other languages quote with other signs. But they are the same in the
  -- line of the function that asks: all that differs is the names, and the numbers of the lines.
  SELECT CASE WHEN f.frames[1] = f.frames[2] THEN (regexp_match(p_stack[3], s.signature))[2] END
  FROM (VALUES ($r$("?)pgtrack\1\.\1(_?[a-z_]+)\1\([^()]*\)$r$)) AS s (signature)
  CROSS JOIN LATERAL (SELECT array_agg(regexp_replace(regexp_replace(l, s.signature, ''), '[0-9]+', '', 'g') ORDER BY n) AS frames
                      FROM unnest(p_stack[2:3]) WITH ORDINALITY AS u (l, n)) f;
END;
COMMENT ON FUNCTION pgtrack._caller(text[]) IS
  'The function of pg_track that called the one that asked for the stack, in an assignment of its own; null if anything else did.';

-- SECURITY DEFINER: nobody may write records by hand, nor seal what is undone. The record commits and rolls back with
-- what it is about. What is returned says which statements of the transaction come after it, and what those revert; a verb
-- hands it to _end_call(), and nobody else sees it.
CREATE OR REPLACE FUNCTION pgtrack._begin_call(p_arguments jsonb, p_message text DEFAULT NULL, p_reverts text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_begin_call$
DECLARE
  c_verbs CONSTANT  text[] := '{undo,revert,rollback_to,restore,undo_last,undo_transaction,undo_transactions,undo_statements,undo_where,'
                              'undo_batch,revert_table,revert_schema,undo_as_myself,track,untrack,tag,untag,keep,recover_table,recover_column,'
                              'purge,purge_audit,erase,release_type}';
  v_stack           text[];
  v_verb            text;
  v_sent            text := extract('epoch' FROM statement_timestamp());
  v_entry           bigint;
BEGIN
  v_stack := pgtrack._stack();
  v_verb := ltrim(pgtrack._caller(v_stack), '_');
  IF v_verb = ANY (c_verbs) IS NOT TRUE THEN
    RAISE EXCEPTION 'calls are recorded by the functions that are called' USING
      ERRCODE = 'insufficient_privilege', DETAIL = 'Nothing else writes pgtrack.audit.';
  END IF;
  INSERT INTO pgtrack.audit_entry (verb, arguments, statement, message, session, actor)
  VALUES (regexp_replace(v_verb, '^recover_.*', 'recover'), pgtrack._cut(jsonb_strip_nulls(p_arguments)),
          CASE WHEN current_setting('pgtrack.hidden_text', true) = v_sent THEN NULL ELSE left(current_query(), 4000) END,
          left(coalesce(p_message, nullif(current_setting('pgtrack.message', true), '')), 1000),
          nullif(split_part(pgtrack._session_context(), ' ', 4), ''), left(current_setting('pgtrack.actor', true), 256))
  RETURNING entry_id INTO v_entry;
  -- For who hides the text of this query later (_hide_text).
  PERFORM set_config('pgtrack.shown_calls', concat_ws(' ', CASE split_part(current_setting('pgtrack.shown_calls', true), ' ', 1)
    WHEN v_sent THEN current_setting('pgtrack.shown_calls', true) ELSE v_sent END, v_entry), true);
  IF p_reverts IS NOT NULL THEN
    RETURN pgtrack._sealed('reverts', (SELECT concat_ws(' ', CASE WHEN q.is_called THEN q.last_value ELSE 0 END, p_reverts) FROM pgtrack.statement_id_seq q));
  END IF;
  RETURN NULL;
END
$_begin_call$;
COMMENT ON FUNCTION pgtrack._begin_call(jsonb, text, text) IS
  'Records a call of the verb that calls it in an assignment; returns, sealed, since which number statements belong to it and what they revert.';

-- Here and not in the recorders, where every statement would pay for it. What an undo in a trigger has marked stays so.
CREATE OR REPLACE FUNCTION pgtrack._end_call(p_call text) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $_end_call$
DECLARE
  v_call  text := pgtrack._unsealed('reverts', p_call);
BEGIN
  UPDATE pgtrack.statement s SET reverts = substr(v_call, strpos(v_call, ' ') + 1)
  WHERE s.xid = pg_current_xact_id() AND s.statement_id > split_part(v_call, ' ', 1)::bigint AND s.reverts IS NULL;
END
$_end_call$;
COMMENT ON FUNCTION pgtrack._end_call(text) IS
  'Ends what _begin_call() began: the statements since then are marked with what they revert. SECURITY DEFINER: nobody else writes them.';

CREATE OR REPLACE FUNCTION pgtrack._cut(p_arguments jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT jsonb_object_agg(a.key, CASE WHEN length(a.value::text) > 1000 THEN to_jsonb(left(a.value::text, 997) || '...') ELSE a.value END)
  FROM jsonb_each(p_arguments) a;
END;
COMMENT ON FUNCTION pgtrack._cut(jsonb) IS 'Arguments of which none is longer than 1,000 characters.';
