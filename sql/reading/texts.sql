-- Query texts and messages quote values of rows that their reader may not be able to see. They belong to who ran them.
CREATE OR REPLACE FUNCTION pgtrack._text_roles() RETURNS text[]
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_text_roles$
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
  v_comment              text;
  v_length               integer;
  v_parts                text[];
  v_names                text[] := '{}';
  v_values               text[] := '{}';
  v_at                   integer := 1;
BEGIN
  IF p_query IS NULL OR strpos(p_query, '=''') = 0 OR strpos(p_query, '*/') = 0 THEN
    RETURN NULL;
  END IF;
  v_comment := reverse(p_query);
  v_comment := substr(v_comment, strpos(v_comment, '/*') + 2);
  v_length := strpos(v_comment, '*/') - 1;
  IF v_length NOT BETWEEN 1 AND 4000 THEN
    RETURN NULL;
  END IF;
  v_comment := reverse(left(v_comment, v_length));
  v_parts := (string_to_array(replace(replace(v_comment, $r$\\$r$, c_backslash), $r$\'$r$, c_quote), ''''))[:65];
  -- A value stands between quotes, behind a key and its equals sign; other quotes are punctuation.
  WHILE v_at < cardinality(v_parts) - 1 LOOP
    IF right(v_parts[v_at], 1) = '=' THEN
      -- A key without a value ends with a comma.
      v_names := v_names || split_part(translate(rtrim(v_parts[v_at], '='), E' \t\n\r', ',,,,'), ',', -1);
      v_values := v_values || v_parts[v_at + 1];
      v_at := v_at + 1;
    END IF;
    v_at := v_at + 1;
  END LOOP;
  RETURN (
    SELECT jsonb_object_agg(CASE WHEN strpos(t.name, '%') > 0 THEN pgtrack._url_decoded(t.name) ELSE t.name END,
                            CASE WHEN strpos(t.value, '%') > 0 THEN pgtrack._url_decoded(t.value) ELSE t.value END)
    FROM (SELECT u.name, replace(replace(u.value, c_quote, ''''), c_backslash, $r$\\$r$) AS value
          FROM unnest(v_names, v_values) AS u (name, value)) t
    WHERE t.name <> '');
END
$_comment_tags$;
COMMENT ON FUNCTION pgtrack._comment_tags(text) IS 'The first 32 key-value pairs of a query''s sqlcommenter comment; null if it has none.';

-- Without a subtransaction, so that parallel workers can do it.
CREATE OR REPLACE FUNCTION pgtrack._url_decoded(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $_url_decoded$
DECLARE
  -- RFC 3629, a character for each byte.
  c_utf8 CONSTANT  text := E'^([\\u0001-\\u007f]|[\\u00c2-\\u00df][\\u0080-\\u00bf]|\\u00e0[\\u00a0-\\u00bf][\\u0080-\\u00bf]|'
                            '[\\u00e1-\\u00ec\\u00ee\\u00ef][\\u0080-\\u00bf]{2}|\\u00ed[\\u0080-\\u009f][\\u0080-\\u00bf]|'
                            '\\u00f0[\\u0090-\\u00bf][\\u0080-\\u00bf]{2}|[\\u00f1-\\u00f3][\\u0080-\\u00bf]{3}|'
                            '\\u00f4[\\u0080-\\u008f][\\u0080-\\u00bf]{2})*$';
  v_bytes          text;
BEGIN
  -- Other encodings have not all of its characters.
  IF strpos(p_text, '%') = 0 OR strpos(p_text, '%00') > 0
     OR getdatabaseencoding() <> 'UTF8' AND p_text ~ $r$%[89A-Fa-f]|[^\u0001-\u007f]$r$ THEN
    RETURN p_text;
  END IF;
  v_bytes := convert_from(convert_to(p_text, 'UTF8'), 'LATIN1');
  IF v_bytes ~ '%(?![0-9A-Fa-f]{2})' THEN
    v_bytes := regexp_replace(v_bytes, '%(?![0-9A-Fa-f]{2})', '%25', 'g');
  END IF;
  -- As a JSON string, which is decoded in one pass.
  v_bytes := replace(to_json(v_bytes)::text, '%', $r$\u00$r$)::jsonb #>> '{}';
  RETURN CASE WHEN v_bytes ~ c_utf8 THEN convert_from(convert_to(v_bytes, 'LATIN1'), 'UTF8') ELSE p_text END;
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
