-- The history table of a tracked table, and how it follows the table's shape

CREATE OR REPLACE FUNCTION pgtrack._free_name(p_wanted text, p_taken name[]) RETURNS name
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $_free_name$
DECLARE
  v_stem    text := p_wanted;
  v_suffix  text := '';
BEGIN
  -- Identifiers have at most 63 bytes, not characters.
  LOOP
    WHILE octet_length(v_stem || v_suffix) > 63 LOOP
      v_stem := left(v_stem, -1);
    END LOOP;
    EXIT WHEN (v_stem || v_suffix)::name <> ALL (coalesce(p_taken, '{}'));
    v_suffix := '_' || (coalesce(nullif(substr(v_suffix, 2), '')::integer, 1) + 1);
  END LOOP;
  RETURN v_stem || v_suffix;
END
$_free_name$;
COMMENT ON FUNCTION pgtrack._free_name(text, name[]) IS 'The wanted name, shortened and numbered as far as necessary to be valid and new.';

CREATE OR REPLACE FUNCTION pgtrack._create_history(p_relation integer) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_create_history$
DECLARE
  v_relation  pgtrack.relation;
BEGIN
  SELECT * INTO STRICT v_relation FROM pgtrack.relation WHERE relation_id = p_relation;
  EXECUTE format('CREATE TABLE pgtrack_history.%I (pgtrack_statement_id bigint NOT NULL)', v_relation.history_table);
  EXECUTE format('COMMENT ON TABLE pgtrack_history.%I IS %L', v_relation.history_table,
    format('Old images of the rows of %s; for INSERT the key.', pgtrack._name(v_relation.relid)));
  EXECUTE format('COMMENT ON COLUMN pgtrack_history.%I.pgtrack_statement_id IS %L', v_relation.history_table,
    'The statement that made the change, in pgtrack.statement.');
  -- History is written in the order of its statements, so a tiny index finds those of a transaction. What was written
  -- last is asked for most; it shall not wait for a vacuum of the whole table to be in the index.
  EXECUTE format('CREATE INDEX %I ON pgtrack_history.%I USING brin (pgtrack_statement_id) WITH (pages_per_range = 32, autosummarize = on)',
    format('h%s_statement', p_relation), v_relation.history_table);
  -- In a publication of all tables, what has no identity can be neither purged nor erased. Costs nothing otherwise.
  EXECUTE format('ALTER TABLE pgtrack_history.%I REPLICA IDENTITY FULL, ENABLE ROW LEVEL SECURITY', v_relation.history_table);
END
$_create_history$;
COMMENT ON FUNCTION pgtrack._create_history(integer) IS 'Creates the history table of a table that is tracked for the first time.';
