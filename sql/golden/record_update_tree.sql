CREATE OR REPLACE FUNCTION pgtrack_history.record_update_2()
 RETURNS trigger
 LANGUAGE plpgsql
 SECURITY DEFINER
AS $function$
<<pgtrack>>
DECLARE
  id    pg_catalog.int8 := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
  rows  pg_catalog.int8;
BEGIN
  IF NOT TG_RELID OPERATOR(pg_catalog.=) ANY ('{OID}'::pg_catalog.oid[]) OR pgtrack._has_drifted('OID'::pg_catalog.regclass, 'CLUSTER/OID', 'FINGERPRINT', '{"1": ["day", 1082], "2": ["id", 23], "3": ["what", 25]}'::pg_catalog.jsonb) THEN
    PERFORM pgtrack._follow(2, TG_RELID);
    id := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
    PERFORM pgtrack._require_same_key(2, '{OID}');
    EXECUTE pgtrack._images_sql(2, 'update', '$1', 'r', ' FROM pgtrack_old AS r') USING pgtrack.id;
  ELSE
    INSERT INTO pgtrack_history.event_2 (pgtrack_statement_id, day, id, what) SELECT pgtrack.id, r.day, r.id, r.what FROM pgtrack_old AS r;
  END IF;
  GET DIAGNOSTICS rows = ROW_COUNT;
  IF pgtrack.rows OPERATOR(pg_catalog.>) 0 THEN
          IF (SELECT pg_catalog.count(*) FROM pgtrack_new) OPERATOR(pg_catalog.=) pgtrack.rows THEN
            INSERT INTO pgtrack.key_change (change_id, xid, relation_id, old_key, new_key, statement_id)
            SELECT pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass), pg_catalog.pg_current_xact_id(), 2,
                   pgtrack_history.key_2(z.old_1, z.old_2), pgtrack_history.key_2(z.new_1, z.new_2), pgtrack.id
            FROM (SELECT z.is_new, z.key_1 AS old_1, pg_catalog.lead(z.key_1) OVER w AS new_1, z.key_2 AS old_2, pg_catalog.lead(z.key_2) OVER w AS new_2
                  FROM (SELECT pg_catalog.row_number() OVER () AS position, false AS is_new, r.day AS key_1, r.id AS key_2 FROM pgtrack_old AS r
                        UNION ALL
                        SELECT pg_catalog.row_number() OVER () AS position, true AS is_new, r.day AS key_1, r.id AS key_2 FROM pgtrack_new AS r) AS z
                  WINDOW w AS (ORDER BY z.position, z.is_new)) AS z
            WHERE NOT z.is_new AND NOT (z.old_1 OPERATOR(pg_catalog.=) z.new_1 AND z.old_2 OPERATOR(pg_catalog.=) z.new_2);
          ELSE
            <<pgtrack_moves>>
            DECLARE
              gone_id  pg_catalog.int8 := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
              come_id  pg_catalog.int8 := pg_catalog.nextval('pgtrack.statement_id_seq'::pg_catalog.regclass);
              moved    pg_catalog.int8;
            BEGIN
              UPDATE pgtrack_history.event_2 AS h SET pgtrack_statement_id = pgtrack_moves.gone_id
              WHERE h.pgtrack_statement_id OPERATOR(pg_catalog.=) pgtrack.id AND NOT EXISTS (SELECT FROM pgtrack_new AS r WHERE h.day OPERATOR(pg_catalog.=) r.day AND h.id OPERATOR(pg_catalog.=) r.id);
              GET DIAGNOSTICS moved = ROW_COUNT;
              IF pgtrack_moves.moved OPERATOR(pg_catalog.>) 0 THEN
          INSERT INTO pgtrack.statement (
            statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, role_name,
            application, client_addr, context, actor, message, reverts, query)
          VALUES (
            pgtrack_moves.gone_id, pg_catalog.pg_current_xact_id(), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp(),
            2, 'D', pgtrack_moves.moved, session_user, pg_catalog.current_setting('role'),
            pg_catalog.current_setting('application_name'), pg_catalog.inet_client_addr(),
            pgtrack._session_context(), pg_catalog.current_setting('pgtrack.actor', true)::pg_catalog.varchar(256),
            pg_catalog.current_setting('pgtrack.message', true)::pg_catalog.varchar(1000),
            pgtrack._unsealed('reverts', pg_catalog.current_setting('pgtrack.reverts', true)),
            pg_catalog.current_query()::pg_catalog.varchar(4000));
              END IF;
              rows := pgtrack.rows OPERATOR(pg_catalog.-) pgtrack_moves.moved;
              INSERT INTO pgtrack_history.event_2 (pgtrack_statement_id, day, id) SELECT pgtrack_moves.come_id, r.day, r.id FROM pgtrack_new AS r WHERE NOT EXISTS (SELECT FROM pgtrack_old AS h WHERE h.day OPERATOR(pg_catalog.=) r.day AND h.id OPERATOR(pg_catalog.=) r.id);
              GET DIAGNOSTICS moved = ROW_COUNT;
              IF pgtrack_moves.moved OPERATOR(pg_catalog.>) 0 THEN
          INSERT INTO pgtrack.statement (
            statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, role_name,
            application, client_addr, context, actor, message, reverts, query)
          VALUES (
            pgtrack_moves.come_id, pg_catalog.pg_current_xact_id(), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp(),
            2, 'I', pgtrack_moves.moved, session_user, pg_catalog.current_setting('role'),
            pg_catalog.current_setting('application_name'), pg_catalog.inet_client_addr(),
            pgtrack._session_context(), pg_catalog.current_setting('pgtrack.actor', true)::pg_catalog.varchar(256),
            pg_catalog.current_setting('pgtrack.message', true)::pg_catalog.varchar(1000),
            pgtrack._unsealed('reverts', pg_catalog.current_setting('pgtrack.reverts', true)),
            pg_catalog.current_query()::pg_catalog.varchar(4000));
              END IF;
            END;
          END IF;
          INSERT INTO pgtrack.statement (
            statement_id, xid, snapshot, at, relation_id, operation, row_count, user_name, role_name,
            application, client_addr, context, actor, message, reverts, query)
          VALUES (
            pgtrack.id, pg_catalog.pg_current_xact_id(), pg_catalog.pg_current_snapshot(), pg_catalog.clock_timestamp(),
            2, 'U', pgtrack.rows, session_user, pg_catalog.current_setting('role'),
            pg_catalog.current_setting('application_name'), pg_catalog.inet_client_addr(),
            pgtrack._session_context(), pg_catalog.current_setting('pgtrack.actor', true)::pg_catalog.varchar(256),
            pg_catalog.current_setting('pgtrack.message', true)::pg_catalog.varchar(1000),
            pgtrack._unsealed('reverts', pg_catalog.current_setting('pgtrack.reverts', true)),
            pg_catalog.current_query()::pg_catalog.varchar(4000));
  END IF;
  RETURN NULL;
END
$function$
