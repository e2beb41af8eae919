-- An UPDATE that moves a row to another partition fires no row trigger for UPDATE. It puts the row into both transition
-- tables at the same position, unless a trigger on the new partition swallowed a row. Then positions say nothing, and
-- what disappeared and what appeared is recorded as that. (Joining the two by position could be planned as a nested
-- loop, which takes forever on many rows; a sort cannot.)
CREATE OR REPLACE FUNCTION pgtrack._moves_sql(p_relation integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT format($$
          IF (SELECT pg_catalog.count(*) FROM pgtrack_new) OPERATOR(pg_catalog.=) pgtrack.rows THEN
            INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
            SELECT pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass), pg_catalog.pg_current_xact_id(), %1$s,
                   pgtrack_history.key_%1$s(%2$s), pgtrack_history.key_%1$s(%3$s), pgtrack.id
            FROM (SELECT z.is_new, %4$s
                  FROM (SELECT pg_catalog.row_number() OVER () AS position, false AS is_new, %5$s FROM pgtrack_old AS r
                        UNION ALL
                        SELECT pg_catalog.row_number() OVER () AS position, true AS is_new, %5$s FROM pgtrack_new AS r) AS z
                  WINDOW w AS (ORDER BY z.position, z.is_new)) AS z
            WHERE NOT z.is_new AND NOT (%6$s);
          ELSE
            <<pgtrack_moves>>
            DECLARE
              gone_id  pg_catalog.int8 := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
              come_id  pg_catalog.int8 := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
              moved    pg_catalog.int8;
            BEGIN
              UPDATE pgtrack_history.%7$I AS h SET pgtrack_statement_id = pgtrack_moves.gone_id
              WHERE h.pgtrack_statement_id OPERATOR(pg_catalog.=) pgtrack.id AND NOT EXISTS (SELECT FROM pgtrack_new AS r WHERE %8$s);
              GET DIAGNOSTICS moved = ROW_COUNT;
              IF pgtrack_moves.moved OPERATOR(pg_catalog.>) 0 THEN%9$s
              END IF;
              rows := pgtrack.rows OPERATOR(pg_catalog.-) pgtrack_moves.moved;
              %10$s WHERE NOT EXISTS (SELECT FROM pgtrack_old AS h WHERE %11$s);
              GET DIAGNOSTICS moved = ROW_COUNT;
              IF pgtrack_moves.moved OPERATOR(pg_catalog.>) 0 THEN%12$s
              END IF;
            END;
          END IF;$$,
    p_relation,
    string_agg(format('z.old_%s', position), ', ' ORDER BY position),
    string_agg(format('z.new_%s', position), ', ' ORDER BY position),
    string_agg(format('z.key_%s AS old_%1$s, pg_catalog.lead(z.key_%1$s) OVER w AS new_%1$s', position), ', ' ORDER BY position),
    string_agg(format('%s AS key_%s', x.new, position), ', ' ORDER BY position),
    string_agg(pgtrack._stored_is_sql(kind, operator, equality, format('z.old_%s', position), format('z.new_%s', position)), ' AND ' ORDER BY position),
    r.history_table,
    string_agg(pgtrack._stored_is_sql(kind, operator, equality, format('h.%I', history_column), x.new), ' AND ' ORDER BY position),
    pgtrack._statement_sql(p_relation, 'D', 'pgtrack_moves.gone_id', 'pgtrack_moves.moved'),
    pgtrack._images_sql(p_relation, 'insert', 'pgtrack_moves.come_id', 'r', ' FROM pgtrack_new AS r'),
    string_agg(pgtrack._stored_is_sql(kind, operator, equality, x.old, x.new), ' AND ' ORDER BY position),
    pgtrack._statement_sql(p_relation, 'I', 'pgtrack_moves.come_id', 'pgtrack_moves.moved'))
  FROM pgtrack.relation r
  CROSS JOIN LATERAL pgtrack._key_parts(r.relation_id) k
  CROSS JOIN LATERAL (SELECT pgtrack._output_sql(format('r.%I', k.column_name), k.type, true) AS new,
                             pgtrack._output_sql(format('h.%I', k.column_name), k.type, true) AS old) x
  WHERE r.relation_id = p_relation
  GROUP BY r.relation_id;
END;
COMMENT ON FUNCTION pgtrack._moves_sql(integer) IS 'The part of a partitioned table''s UPDATE recorder that notes changed keys.';
