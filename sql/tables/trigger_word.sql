-- Not unique: whoever makes a trigger does not wait for another who does.
CREATE TABLE IF NOT EXISTS pgtrack.trigger_word (
  word            text     COLLATE "C" NOT NULL,
  may_be_written  boolean  NOT NULL
);
COMMENT ON TABLE pgtrack.trigger_word IS
  'The words in the sources of trigger functions and of what they call: a table that is called like one may be written by a trigger.';
COMMENT ON COLUMN pgtrack.trigger_word.word IS 'The word, as it stands there, in lower case, or in quotes there.';
COMMENT ON COLUMN pgtrack.trigger_word.may_be_written IS 'Whether it stands in one that may write tables.';
