-- A row whose key was changed has its history under several keys, one after the other. Where spellings are given, the key is
-- one of pgtrack._key_changes() already. They and the shape are for callers that ask about many rows.
CREATE OR REPLACE FUNCTION pgtrack._lineage(p_table regclass, p_key jsonb, p_spellings jsonb DEFAULT NULL, p_shape pgtrack.relation_shape DEFAULT NULL)
RETURNS TABLE (row_key jsonb, after_id bigint, until_id bigint)
LANGUAGE plpgsql STABLE ROWS 2 SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $_lineage$
DECLARE
  v_relation   integer;
  v_since      bigint;
  v_shape      pgtrack.relation_shape := p_shape;
  v_spellings  jsonb;
  v_keys       jsonb[];
  v_move       record;
  v_taken      boolean;
  v_noted      jsonb := '{}';
  v_known      jsonb;
  v_arrival    bigint;
  v_from       jsonb;
  v_departure  bigint;
BEGIN
  SELECT r.relation_id, greatest(r.key_since - 1, 0) INTO v_relation, v_since FROM pgtrack.relation r WHERE r.relid = p_table;
  row_key := CASE WHEN p_spellings IS NULL THEN pgtrack._noted_key(v_relation, p_key) ELSE p_key END;
  after_id := coalesce(v_since, 0);
  IF NOT EXISTS (SELECT FROM pgtrack.key_change c WHERE c.relation_id = v_relation AND row_key IN (c.old_key, c.new_key)) THEN
    until_id := 9223372036854775807;
    RETURN NEXT;
    RETURN;
  END IF;
  IF p_shape.relation_id IS NULL THEN
    v_shape := pgtrack._shape(p_table);
  END IF;
  v_spellings := coalesce(p_spellings, pgtrack._spellings(v_relation));
  v_keys := pgtrack._equal_keys(v_spellings, row_key);
  -- Forward: the row has moved away, and no other came to its old key since.
  SELECT m.statement_id, m.new_key INTO v_move
  FROM pgtrack._departures(v_relation, v_keys) m WHERE m.statement_id > after_id
  ORDER BY m.statement_id DESC LIMIT 1;
  v_taken := EXISTS (SELECT FROM pgtrack._arrivals(v_relation, v_keys) m WHERE m.statement_id >= v_move.statement_id);
  IF v_move.statement_id IS NOT NULL AND NOT v_taken THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM jsonb_to_record($1) AS k(%s) JOIN %s h ON %s WHERE h.pgtrack_statement_id > $2)',
                   v_shape.key_record, v_shape.history, v_shape.history_is_key)
    INTO v_taken USING row_key, v_move.statement_id;
  END IF;
  until_id := 9223372036854775807;
  WHILE v_move.statement_id IS NOT NULL AND NOT v_taken LOOP
    v_keys := pgtrack._equal_keys(v_spellings, v_move.new_key);
    row_key := v_keys[1];
    after_id := v_move.statement_id;
    v_arrival := (SELECT min(m.statement_id) FROM pgtrack._arrivals(v_relation, v_keys) m WHERE m.statement_id > after_id);
    SELECT m.statement_id, m.new_key INTO v_move
    FROM pgtrack._departures(v_relation, v_keys) m WHERE m.statement_id > after_id AND coalesce(m.statement_id <= v_arrival, true)
    ORDER BY m.statement_id LIMIT 1;
    -- Where another comes to the key, the row was deleted there.
    until_id := CASE WHEN v_move.statement_id IS NULL THEN coalesce(v_arrival, until_id) ELSE until_id END;
  END LOOP;
  -- Backward, from where it is now to where it came from. It may have been at a key many times.
  LOOP
    v_known := v_noted -> v_keys[1]::text;
    IF v_known IS NULL THEN
      v_known := jsonb_build_array(
        ARRAY(SELECT jsonb_build_array(m.statement_id, m.old_key) FROM pgtrack._arrivals(v_relation, v_keys) m WHERE m.statement_id > 0),
        ARRAY(SELECT m.statement_id FROM pgtrack._departures(v_relation, v_keys) m WHERE m.statement_id > 0));
      v_noted := v_noted || jsonb_build_object(v_keys[1]::text, v_known);
    END IF;
    SELECT (a.value -> 0)::bigint, a.value -> 1 INTO v_arrival, v_from
    FROM jsonb_array_elements(v_known -> 0) a WHERE (a.value -> 0)::bigint < until_id ORDER BY (a.value -> 0)::bigint DESC LIMIT 1;
    v_departure := (SELECT max(d.value::bigint) FROM jsonb_array_elements(v_known -> 1) d WHERE d.value::bigint < until_id);
    after_id := greatest(v_arrival, v_departure, v_since);
    RETURN NEXT;
    EXIT WHEN v_arrival IS NULL OR v_arrival < v_departure;
    v_keys := pgtrack._equal_keys(v_spellings, v_from);
    row_key := v_keys[1];
    until_id := v_arrival;
  END LOOP;
END
$_lineage$;
COMMENT ON FUNCTION pgtrack._lineage(regclass, jsonb, jsonb, pgtrack.relation_shape) IS
  'The keys under which a row''s history is recorded, newest first, each with the range of statements that found the row there.';

CREATE OR REPLACE FUNCTION pgtrack._live_key(p_table regclass, p_key jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_live_key$
BEGIN
  RETURN (SELECT l.row_key FROM pgtrack._lineage(p_table, p_key) l WHERE l.until_id = 9223372036854775807);
END
$_live_key$;
COMMENT ON FUNCTION pgtrack._live_key(regclass, jsonb) IS 'The key that a row has now, or had last; null where another row has it since.';

CREATE OR REPLACE FUNCTION pgtrack._purged_versions(p_table regclass, p_key jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_purged_versions$
DECLARE
  v_relation  integer := (SELECT r.relation_id FROM pgtrack.relation r WHERE r.relid = p_table AND r.purged_until IS NOT NULL);
BEGIN
  IF v_relation IS NULL THEN
    RETURN 0;
  END IF;
  -- They are counted under the key that the row had then.
  RETURN pgtrack._purged_versions_of(v_relation, (SELECT l.row_key FROM pgtrack._lineage(p_table, p_key) l ORDER BY l.until_id LIMIT 1));
END
$_purged_versions$;
COMMENT ON FUNCTION pgtrack._purged_versions(regclass, jsonb) IS 'How many versions of a row were purged.';

CREATE OR REPLACE FUNCTION pgtrack._purged_versions_of(p_relation integer, p_key jsonb) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_purged_versions_of$
BEGIN
  RETURN coalesce((SELECT p.versions FROM pgtrack.purged_version p WHERE p.relation_id = p_relation AND p.row_key = pgtrack._purged_key(p_relation, p_key)), 0);
END
$_purged_versions_of$;
COMMENT ON FUNCTION pgtrack._purged_versions_of(integer, jsonb) IS
  'How many versions of the row of a key were purged. SECURITY DEFINER: their number says where numbers go on, and is all that is told.';

CREATE OR REPLACE FUNCTION pgtrack._is_erased(p_relation integer, p_key jsonb, p_statement bigint) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_is_erased$
BEGIN
  IF (SELECT s.compared_key FROM pgtrack.relation_shape s WHERE s.relation_id = p_relation) IS NOT NULL THEN
    RETURN EXISTS (SELECT FROM pgtrack.erasure e
                   WHERE e.relation_id = p_relation AND e.until_id >= p_statement AND pgtrack._is_same_key(p_relation, e.row_key, p_key));
  END IF;
  RETURN EXISTS (SELECT FROM pgtrack.erasure e
                 WHERE e.relation_id = p_relation AND e.row_key = p_key AND e.until_id >= p_statement);
END
$_is_erased$;
COMMENT ON FUNCTION pgtrack._is_erased(integer, jsonb, bigint) IS
  'Whether the image that a statement recorded under a key was erased. '
  'SECURITY DEFINER: an erased image must not be taken for one, whoever asks.';

CREATE OR REPLACE FUNCTION pgtrack._has_erasures(p_relation integer) RETURNS boolean
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $_has_erasures$
BEGIN
  RETURN EXISTS (SELECT FROM pgtrack.erasure e WHERE e.relation_id = p_relation);
END
$_has_erasures$;
COMMENT ON FUNCTION pgtrack._has_erasures(integer) IS
  'Whether images of rows of a table were erased. SECURITY DEFINER: whoever undoes has to know, and learns of no row.';
