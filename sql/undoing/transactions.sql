CREATE OR REPLACE FUNCTION pgtrack.plan_undo_transaction(xid bigint, columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p.* FROM pgtrack._plan_choice(jsonb_build_object('xid', xid), columns) p;
END;
COMMENT ON FUNCTION pgtrack.plan_undo_transaction(bigint, text[]) IS 'What undo_transaction() would do, row by row, without doing it.';

CREATE OR REPLACE FUNCTION pgtrack.undo_transaction(xid bigint, on_conflict text DEFAULT 'error', message text DEFAULT NULL,
                                                     columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT u.* FROM pgtrack._undo_choice('undo_transaction', jsonb_build_object('xid', xid), on_conflict, message, columns) u;
END;
COMMENT ON FUNCTION pgtrack.undo_transaction(bigint, text, text, text[]) IS
  'Undoes everything a transaction did to tracked tables, in one step. Rows that changed since are an error, '
  'or on_conflict => ''skip'', ''merge'' or ''force''. columns names those to set back where rows were only updated; null is all.';

CREATE OR REPLACE FUNCTION pgtrack._of_transactions(p_xids bigint[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(string_agg(format('(%s)', pgtrack._of_transaction(x)), ' OR '), 'false') FROM unnest(p_xids) x;
END;
COMMENT ON FUNCTION pgtrack._of_transactions(bigint[]) IS 'The condition for statements of some transactions.';

CREATE OR REPLACE FUNCTION pgtrack.plan_undo_transactions(xids bigint[], columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p.* FROM pgtrack._plan_choice(jsonb_build_object('xids', xids), columns) p;
END;
COMMENT ON FUNCTION pgtrack.plan_undo_transactions(bigint[], text[]) IS 'What undo_transactions() would do, row by row, without doing it.';

CREATE OR REPLACE FUNCTION pgtrack.undo_transactions(xids bigint[], on_conflict text DEFAULT 'error', message text DEFAULT NULL,
                                                      columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT u.* FROM pgtrack._undo_choice('undo_transactions', jsonb_build_object('xids', xids), on_conflict, message, columns) u;
END;
COMMENT ON FUNCTION pgtrack.undo_transactions(bigint[], text, text, text[]) IS
  'Undoes everything that some transactions did to tracked tables, in one step, as if they had been one.';

CREATE OR REPLACE FUNCTION pgtrack.plan_undo_statements(statement_ids bigint[], columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, row_pk jsonb, action text, before jsonb, after jsonb, conflict text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p.* FROM pgtrack._plan_choice(jsonb_build_object('statement_ids', statement_ids), columns) p;
END;
COMMENT ON FUNCTION pgtrack.plan_undo_statements(bigint[], text[]) IS 'What undo_statements() would do, row by row, without doing it.';

CREATE OR REPLACE FUNCTION pgtrack.undo_statements(statement_ids bigint[], on_conflict text DEFAULT 'error', message text DEFAULT NULL,
                                                    columns text[] DEFAULT NULL)
RETURNS TABLE ("table" text, inserted bigint, updated bigint, deleted bigint, skipped bigint)
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT u.* FROM pgtrack._undo_choice('undo_statements', jsonb_build_object('statement_ids', statement_ids), on_conflict, message, columns) u;
END;
COMMENT ON FUNCTION pgtrack.undo_statements(bigint[], text, text, text[]) IS
  'Undoes what some statements did to tracked tables, in one step, as if they had been one.';
