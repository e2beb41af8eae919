-- Query texts and messages quote values of rows that their reader may not be able to see. They belong to who ran them.
CREATE OR REPLACE FUNCTION pgtrack._text_roles() RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_text_roles$
BEGIN
  IF pgtrack._acts_for_owner() OR EXISTS (
       SELECT FROM pg_roles r WHERE r.rolname IN ('pg_read_all_stats', 'pgtrack_reader') AND pg_has_role(r.oid, 'USAGE')) THEN
    RETURN NULL;
  END IF;
  RETURN (SELECT array_agg(r.rolname::text) FROM pg_roles r WHERE pg_has_role(r.oid, 'USAGE'));
END
$_text_roles$;
COMMENT ON FUNCTION pgtrack._text_roles() IS 'The roles whose query texts and messages the current user may read; null for all.';

-- https://google.github.io/sqlcommenter/spec: keys and values are URL-encoded, quotes in values escaped; the last comment
-- counts. One pass over a text of bounded length: it is written by whoever makes changes, and read by everybody.
CREATE OR REPLACE FUNCTION pgtrack._comment_tags(p_query text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_comment_tags$
DECLARE
  c_quote      CONSTANT  text := chr(1);
  c_backslash  CONSTANT  text := chr(2);
  v_rest                 text;
  v_end                  integer;
  v_names                text[];
  v_values               text[];
BEGIN
  IF p_query IS NULL OR strpos(p_query, '=''') = 0 OR strpos(p_query, '*/') = 0 THEN
    RETURN NULL;
  END IF;
  v_rest := reverse(p_query);
  v_rest := substr(v_rest, strpos(v_rest, '/*') + 2);
  v_end := strpos(v_rest, '*/') - 1;
  IF v_end NOT BETWEEN 1 AND 4000 THEN
    RETURN NULL;
  END IF;
  v_rest := replace(replace(reverse(left(v_rest, v_end)), '\\', c_backslash), '\''', c_quote);
  FOR i IN 1 .. 64 LOOP
    v_end := strpos(v_rest, '=''');
    EXIT WHEN v_end = 0;
    -- A key without a value ends with a comma.
    v_names[i] := split_part(translate(left(v_rest, v_end - 1), E' \t\n\r''', ',,,,,'), ',', -1);
    v_rest := substr(v_rest, v_end + 2);
    v_end := strpos(v_rest, '''');
    EXIT WHEN v_end = 0;
    v_values[i] := replace(replace(left(v_rest, v_end - 1), c_quote, ''''), c_backslash, '\\');
    v_rest := substr(v_rest, v_end + 1);
  END LOOP;
  RETURN (SELECT jsonb_object_agg(CASE WHEN strpos(t.name, '%') > 0 THEN pgtrack._url_decoded(t.name) ELSE t.name END,
                                  CASE WHEN strpos(t.value, '%') > 0 THEN pgtrack._url_decoded(t.value) ELSE t.value END)
          FROM unnest(v_names, v_values) AS t (name, value) WHERE t.name <> '' AND t.value IS NOT NULL);
END
$_comment_tags$;
COMMENT ON FUNCTION pgtrack._comment_tags(text) IS 'The first 64 key-value pairs of a query''s sqlcommenter comment; null if it has none.';

CREATE OR REPLACE FUNCTION pgtrack._url_decoded(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_url_decoded$
BEGIN
  RETURN (SELECT convert_from(string_agg(
            CASE WHEN p.position > 1 AND left(p.part, 2) ~ '^[0-9A-Fa-f]{2}$' THEN decode(left(p.part, 2), 'hex') || convert_to(substr(p.part, 3), 'UTF8')
                 ELSE convert_to(CASE p.position WHEN 1 THEN '' ELSE '%' END || p.part, 'UTF8') END, '' ORDER BY p.position), 'UTF8')
          FROM string_to_table(p_text, '%') WITH ORDINALITY AS p (part, position));
EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
  RETURN p_text;
END
$_url_decoded$;
COMMENT ON FUNCTION pgtrack._url_decoded(text) IS 'A URL-encoded text decoded; itself if it is not UTF-8.';

CREATE OR REPLACE FUNCTION pgtrack._actor(p_actor text, p_query text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_actor$
DECLARE
  v_tags  jsonb;
BEGIN
  IF p_actor <> '' THEN
    RETURN left(p_actor, 256);
  END IF;
  v_tags := pgtrack._comment_tags(p_query);
  RETURN left(coalesce(v_tags ->> 'actor', v_tags ->> 'user'), 256);
END
$_actor$;
COMMENT ON FUNCTION pgtrack._actor(text, text) IS 'The person the application named, by a setting or in the query''s comment.';
