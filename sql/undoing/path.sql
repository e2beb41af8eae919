-- Another row may come to the key of one that was deleted, and leave it again before the first is inserted again.
CREATE OR REPLACE FUNCTION pgtrack._path(p_relation integer, p_key jsonb, p_from bigint, p_spellings jsonb, p_is_next boolean)
RETURNS TABLE (row_key jsonb, after_id bigint, until_id bigint)
-- Called for each of many rows: to plan its queries takes longer than to run them.
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $_path$
DECLARE
  v_keys       jsonb[] := pgtrack._equal_keys(p_spellings, p_key);
  v_seen       bigint := p_from - 1;
  v_visitors   integer := 0;
  v_departure  record;
  v_arrival    bigint;
BEGIN
  row_key := p_key;
  after_id := v_seen;
  IF NOT EXISTS (SELECT FROM pgtrack.key_change c WHERE c.relation_id = p_relation AND p_key IN (c.old_key, c.new_key)) THEN
    until_id := 9223372036854775807;
    RETURN NEXT;
    RETURN;
  END IF;
  LOOP
    SELECT m.statement_id, m.new_key INTO v_departure
    FROM pgtrack._departures(p_relation, v_keys) m WHERE m.statement_id > v_seen
    ORDER BY m.statement_id LIMIT 1;
    SELECT min(m.statement_id) INTO v_arrival FROM pgtrack._arrivals(p_relation, v_keys) m WHERE m.statement_id > v_seen;
    EXIT WHEN v_departure.statement_id IS NULL AND v_arrival IS NULL;
    v_seen := least(v_departure.statement_id, v_arrival);
    IF v_departure.statement_id = v_seen AND v_visitors = 0 THEN
      until_id := v_seen;
      RETURN NEXT;
      -- To leave a key is a change, which is recorded under it.
      IF p_is_next AND v_seen > p_from THEN
        RETURN;
      END IF;
      v_keys := pgtrack._equal_keys(p_spellings, v_departure.new_key);
      row_key := v_keys[1];
      after_id := v_seen;
    ELSE
      IF v_visitors = 0 THEN
        until_id := v_seen;
        RETURN NEXT;
      END IF;
      v_visitors := v_visitors + CASE WHEN v_arrival = v_seen THEN 1 ELSE 0 END
                               - CASE WHEN v_departure.statement_id = v_seen THEN 1 ELSE 0 END;
      after_id := v_seen;
    END IF;
  END LOOP;
  IF v_visitors = 0 THEN
    until_id := 9223372036854775807;
    RETURN NEXT;
  END IF;
END
$_path$;
COMMENT ON FUNCTION pgtrack._path(integer, jsonb, bigint, jsonb, boolean) IS
  'The keys that a row has had since a statement found it at one, oldest first, each with the range of statements that found it there; '
  'with p_is_next no more than lead to its next change.';
