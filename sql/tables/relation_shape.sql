CREATE TABLE IF NOT EXISTS pgtrack.relation_shape (
  relation_id      integer  NOT NULL PRIMARY KEY REFERENCES pgtrack.relation ON DELETE CASCADE,
  fingerprint      text     NOT NULL,
  name             text,
  live_table       text,
  history          text,
  keys             name[],
  key_record       text,
  live_is_key      text,
  history_is_key   text,
  live_is_history  text,
  live_is_change   text,
  same_row         text,
  key_json         text,
  image            text,
  live_image       text,
  differs          text,
  differing        text,
  row_values       text,
  change_keys      text,
  restored         text,
  key_is_plain     boolean,
  key_entered      text,
  type_names       text,
  inserted         text[],
  inserted_values  text[],
  inserted_since   bigint[],
  updated          text[],
  updated_values   text[],
  updated_differ   text[],
  updated_stayed   text[],
  compared_key     text,
  key_has_digest   boolean
);
COMMENT ON TABLE pgtrack.relation_shape IS 'For each tracked table, the pieces that dynamic SQL about it is made of: a cache of pgtrack._make_shape().';
COMMENT ON COLUMN pgtrack.relation_shape.relation_id IS 'The tracked table.';
COMMENT ON COLUMN pgtrack.relation_shape.fingerprint IS 'The shape of the table that they are for.';
COMMENT ON COLUMN pgtrack.relation_shape.name IS 'Its name.';
COMMENT ON COLUMN pgtrack.relation_shape.live_table IS 'The table''s own rows, for FROM.';
COMMENT ON COLUMN pgtrack.relation_shape.history IS 'Its history table.';
COMMENT ON COLUMN pgtrack.relation_shape.keys IS 'The key''s columns.';
COMMENT ON COLUMN pgtrack.relation_shape.key_record IS 'The key as a column definition list.';
COMMENT ON COLUMN pgtrack.relation_shape.live_is_key IS 'The condition that t is the row of key k.';
COMMENT ON COLUMN pgtrack.relation_shape.history_is_key IS 'The condition that h is of key k.';
COMMENT ON COLUMN pgtrack.relation_shape.live_is_history IS 'The condition that t is the row of h.';
COMMENT ON COLUMN pgtrack.relation_shape.live_is_change IS 'The condition that t is the row of c.';
COMMENT ON COLUMN pgtrack.relation_shape.same_row IS 'The condition that h and c are of one row.';
COMMENT ON COLUMN pgtrack.relation_shape.key_json IS 'The key of h as JSON.';
COMMENT ON COLUMN pgtrack.relation_shape.image IS 'The image h as JSON.';
COMMENT ON COLUMN pgtrack.relation_shape.live_image IS 'The row t as JSON.';
COMMENT ON COLUMN pgtrack.relation_shape.differs IS 'The condition that t is not what h says.';
COMMENT ON COLUMN pgtrack.relation_shape.differing IS 'The names of the columns in which t is not what h says.';
COMMENT ON COLUMN pgtrack.relation_shape.row_values IS 'The image h as a row of the table''s type.';
COMMENT ON COLUMN pgtrack.relation_shape.change_keys IS 'The key''s columns of c.';
COMMENT ON COLUMN pgtrack.relation_shape.restored IS 'What of the image h the table can have again, as JSON.';
COMMENT ON COLUMN pgtrack.relation_shape.key_is_plain IS 'Whether no setting of a session changes how the key is written.';
COMMENT ON COLUMN pgtrack.relation_shape.key_entered IS 'The key k as JSON, in the form in which it is stored, where a caller may write it in others; else null.';
COMMENT ON COLUMN pgtrack.relation_shape.type_names IS 'The names of types that they have in them, apart from PostgreSQL''s own; null for none.';
COMMENT ON COLUMN pgtrack.relation_shape.inserted IS 'The columns that a row which is inserted can be given.';
COMMENT ON COLUMN pgtrack.relation_shape.inserted_values IS 'Their values, from h.';
COMMENT ON COLUMN pgtrack.relation_shape.inserted_since IS 'Images recorded by statements up to this one do not have them.';
COMMENT ON COLUMN pgtrack.relation_shape.updated IS 'The columns that can be set back in a row.';
COMMENT ON COLUMN pgtrack.relation_shape.updated_values IS 'Their values, from h.';
COMMENT ON COLUMN pgtrack.relation_shape.updated_differ IS 'For each the condition that t is not what h says.';
COMMENT ON COLUMN pgtrack.relation_shape.updated_stayed IS 'For each the condition that t is what c says.';
COMMENT ON COLUMN pgtrack.relation_shape.compared_key IS 'The columns of the key k as the table compares them, where keys that differ as JSON may be equal; else null.';
COMMENT ON COLUMN pgtrack.relation_shape.key_has_digest IS 'Whether such a key has a number that all that equal it have.';
