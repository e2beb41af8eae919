-- One query can delete a key and insert it again: WITH d AS (DELETE … RETURNING …) INSERT … SELECT … FROM d LIMIT 1. Its
-- triggers fire as its parts end, and the part that is not read to its end ends last. But a query never finds what it has done
-- itself. So whatever it does to a key, it deletes first, updates then, and inserts last.

-- Whoever may be changed by a foreign key's own query can be found by it after it was inserted, so the order is as recorded.
CREATE OR REPLACE FUNCTION pgtrack._has_acting_key(p_table regclass) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_has_acting_key$
BEGIN
  RETURN (
  SELECT EXISTS (
    SELECT FROM pgtrack._members(p_table) m
    CROSS JOIN LATERAL (
      SELECT FROM pg_constraint c
      WHERE c.conrelid = m.relid AND c.contype = 'f' AND (c.confupdtype IN ('c', 'n', 'd') OR c.confdeltype IN ('c', 'n', 'd')) OFFSET 0) c));
END
$_has_acting_key$;
COMMENT ON FUNCTION pgtrack._has_acting_key(regclass) IS 'Whether a foreign key may change rows of a table because others have changed.';

-- A query has one command number for all its parts. Each recorder takes two, for images and for the statement, and each key
-- change one. So two statements are of one query where no number between them was taken by anything else.
CREATE OR REPLACE FUNCTION pgtrack._recorded_too_early(p_relation integer, p_operation "char") RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_recorded_too_early$
DECLARE
  c_later CONSTANT  "char"[] := CASE p_operation WHEN 'D' THEN '{U,I}' ELSE '{I}' END;
  v_statement       record;
  v_own             bigint;
  v_begin           bigint;
  v_taken           bigint;
  v_ids             bigint[];
BEGIN
  FOR v_statement IN
    SELECT s.statement_id, s.xid, s.at, s.operation, s.cmin::text::bigint AS command FROM pgtrack.statement s
    WHERE s.relation_id = p_relation ORDER BY s.statement_id DESC
  LOOP
    EXIT WHEN v_statement.at < statement_timestamp();
    CONTINUE WHEN v_statement.xid <> pg_current_xact_id();
    IF v_own IS NULL THEN
      EXIT WHEN v_statement.operation <> p_operation;
      v_own := v_statement.statement_id;
    ELSE
      v_taken := v_begin - v_statement.command - 1;
      EXIT WHEN v_taken < 0 OR v_taken > 2 * (v_own - v_statement.statement_id);
      EXIT WHEN v_taken > 0 AND v_taken <> 2 * (
        SELECT count(*) FROM pgtrack.statement s
        WHERE s.xid = pg_current_xact_id() AND s.cmin::text::bigint > v_statement.command AND s.cmin::text::bigint < v_begin) + (
        SELECT count(*) FROM pgtrack.key_change c
        WHERE c.xid = pg_current_xact_id() AND c.cmin::text::bigint > v_statement.command AND c.cmin::text::bigint < v_begin);
      IF v_statement.operation = ANY (c_later) THEN
        v_ids := v_ids || v_statement.statement_id;
      END IF;
    END IF;
    v_begin := v_statement.command - 1;
  END LOOP;
  RETURN v_own || ARRAY(
    SELECT i FROM unnest(v_ids) i JOIN pgtrack.statement s ON s.relation_id = p_relation AND s.statement_id = i
    ORDER BY array_position(c_later, s.operation), i);
END
$_recorded_too_early$;
COMMENT ON FUNCTION pgtrack._recorded_too_early(integer, "char") IS
  'The number of the statement that was just recorded, and of those by the same query that come after it, in their order.';

-- Numbers are given anew only where the order matters: for a key that is in both, or is changed.
CREATE OR REPLACE FUNCTION pgtrack._put_first(p_relation integer, p_operation "char") RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_put_first$
DECLARE
  v_ids      bigint[] := pgtrack._recorded_too_early(p_relation, p_operation);
  v_history  text;
  v_matters  boolean;
  v_id       bigint;
BEGIN
  IF coalesce(cardinality(v_ids), 0) < 2 THEN
    RETURN;
  END IF;
  SELECT format('pgtrack_history.%I', r.history_table) INTO v_history FROM pgtrack.relation r WHERE r.relation_id = p_relation;
  EXECUTE format('SELECT EXISTS (SELECT FROM %1$s h JOIN %1$s c ON %2$s WHERE h.pgtrack_statement_id = $1 AND c.pgtrack_statement_id = ANY ($2))',
                 v_history, pgtrack._same_key_in_history_sql(p_relation))
  INTO v_matters USING v_ids[1], v_ids[2:];
  IF NOT v_matters AND NOT EXISTS (SELECT FROM pgtrack.key_change c WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_relation) THEN
    RETURN;
  END IF;
  FOR i IN 2 .. cardinality(v_ids) LOOP
    v_id := nextval('pgtrack.statement_id_seq');
    EXECUTE format('UPDATE %s SET pgtrack_statement_id = $1 WHERE pgtrack_statement_id = $2', v_history) USING v_id, v_ids[i];
    -- Two commands, as _recorded_too_early() counts them.
    IF EXISTS (SELECT FROM pgtrack.key_change c WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_relation AND c.statement_id = v_ids[i]) THEN
      UPDATE pgtrack.key_change c SET statement_id = v_id WHERE c.xid = pg_current_xact_id() AND c.relation_id = p_relation AND c.statement_id = v_ids[i];
    END IF;
    UPDATE pgtrack.statement s SET statement_id = v_id WHERE s.relation_id = p_relation AND s.statement_id = v_ids[i];
  END LOOP;
END
$_put_first$;
COMMENT ON FUNCTION pgtrack._put_first(integer, "char") IS
  'Gives later numbers to what the same query has done to the same keys after the statement that was just recorded.';

CREATE OR REPLACE FUNCTION pgtrack._put_first_sql(p_relation integer, p_operation "char") RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  -- Nearly always what was recorded before this is from before the query. Where a transaction begins with a DELETE, which is its
  -- command 0, and the images are 1, its own record is 2.
  SELECT format(CASE p_operation WHEN 'D' THEN $$ RETURNING cmin INTO pgtrack.command;
    IF NOT pgtrack.command OPERATOR(pg_catalog.=) '2'::pg_catalog.cid THEN%s
    END IF;$$ ELSE '%s' END, format($$
      IF (SELECT s.at FROM pgtrack.statement AS s WHERE s.relation_id OPERATOR(pg_catalog.=) %1$s ORDER BY s.statement_id DESC OFFSET 1 LIMIT 1)
         OPERATOR(pg_catalog.>=) pg_catalog.statement_timestamp() THEN
        PERFORM pgtrack._put_first(%1$s, %2$L);
      END IF;$$, p_relation, p_operation))
  FROM pgtrack.relation r
  WHERE r.relation_id = p_relation AND r.key_columns <> '{}' AND NOT pgtrack._has_acting_key(r.relid)
    AND pgtrack._capture_mode(r.relid, r.options) <> 'row' AND NOT pgtrack._may_nest(r.relid);
END;
COMMENT ON FUNCTION pgtrack._put_first_sql(integer, "char") IS 'The part of a recorder, behind the INSERT of its record, that tells a DELETE, or an UPDATE, before what the same query has done after it.';
