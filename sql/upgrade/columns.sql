-- What an installation has already is not touched: ALTER TABLE, CREATE INDEX and CREATE POLICY wait for writers, and
-- writers for them.
DO $columns$
DECLARE
  v_part  record;
BEGIN
  FOR v_part IN
    SELECT * FROM (VALUES
      ('installed_version', 'revision', 'integer NOT NULL DEFAULT 1'),
      ('kept', 'statement_id', 'bigint NOT NULL DEFAULT 0'),
      ('key_change', 'statement_id', 'bigint'),
      ('relation', 'identity', 'text'),
      ('relation', 'left_out', 'jsonb NOT NULL DEFAULT ''{}'''),
      ('relation', 'purged_until', 'timestamptz'),
      ('relation', 'key_since', 'bigint NOT NULL DEFAULT 0'),
      ('relation', 'former_key', 'jsonb'),
      ('relation', 'is_written_nested', 'boolean NOT NULL DEFAULT false'),
      ('relation_column', 'until', 'bigint'),
      ('relation_column', 'successor', 'smallint'),
      ('relation_shape', 'restored', 'text'),
      ('relation_column', 'type', 'oid'),
      ('relation_shape', 'key_is_plain', 'boolean'),
      ('relation_shape', 'key_entered', 'text'),
      ('relation_shape', 'type_names', 'text'),
      ('relation_shape', 'inserted', 'text[]'),
      ('relation_shape', 'inserted_values', 'text[]'),
      ('relation_shape', 'inserted_since', 'bigint[]'),
      ('relation_shape', 'updated', 'text[]'),
      ('relation_shape', 'updated_values', 'text[]'),
      ('relation_shape', 'updated_differ', 'text[]'),
      ('relation_shape', 'updated_stayed', 'text[]'),
      ('relation_shape', 'compared_key', 'text'),
      ('relation_shape', 'key_has_digest', 'boolean'),
      ('tag', 'statement_id', 'bigint NOT NULL DEFAULT 0'),
      ('tracked_schema', 'identity', 'text')
    ) AS c (table_name, column_name, definition)
    JOIN pg_class t ON t.relnamespace = 'pgtrack'::regnamespace AND t.relname = c.table_name
    WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attname = c.column_name)
  LOOP
    EXECUTE format('ALTER TABLE pgtrack.%I ADD COLUMN %I %s', v_part.table_name, v_part.column_name, v_part.definition);
  END LOOP;
  FOR v_part IN
    SELECT a.attname AS column_name FROM pg_attribute a
    WHERE a.attrelid = to_regclass('pgtrack.relation_shape') AND a.attname = ANY ('{versions,insert_columns,insert_values,assignments,merges}')
  LOOP
    BEGIN
      EXECUTE format('ALTER TABLE pgtrack.relation_shape DROP COLUMN %I', v_part.column_name);
    -- Somebody has made a view of it.
    EXCEPTION WHEN dependent_objects_still_exist THEN
      EXECUTE format('ALTER TABLE pgtrack.relation_shape ALTER COLUMN %I DROP NOT NULL', v_part.column_name);
      RAISE WARNING '%', SQLERRM USING HINT = 'It is not used any more.';
    END;
  END LOOP;
END
$columns$;
