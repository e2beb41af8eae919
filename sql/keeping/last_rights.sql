-- Who owned a table, and who might read it, when it was dropped: they may read its history, which goes on from the copy to the
-- drop. A copy knows who it was before.

-- A row of the catalogs that the command has deleted, and nobody changed before it had its lock, is deleted by this transaction.
CREATE OR REPLACE FUNCTION pgtrack._is_own_deletion(p_xmax xid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'transactionid' AND l.transactionid = p_xmax
                                          AND l.pid = pg_backend_pid() AND l.mode = 'ExclusiveLock' AND l.granted);
END;
COMMENT ON FUNCTION pgtrack._is_own_deletion(xid) IS 'Whether a number is this transaction''s, or that of a part of it.';

-- At REPEATABLE READ, policies and code of others may have come unseen; not so what stands in the deleted row itself.
CREATE OR REPLACE FUNCTION pgtrack._rights_at_drop(p_table regclass) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT (r.rights - 'policies')
         || CASE WHEN pgtrack._snapshot_lasts() AND (r.rights ->> 'row_security')::boolean THEN '{"state": "not sure"}' ELSE '{}' END::jsonb
  FROM (SELECT pgtrack._rights_of(p_table)) AS r (rights);
END;
COMMENT ON FUNCTION pgtrack._rights_at_drop(regclass) IS 'In an event trigger: row security and grants of a table that is dropped.';

-- STABLE: in the event trigger it sees what the command saw, so the tables are still there (_on_drop).
CREATE OR REPLACE FUNCTION pgtrack._last_rights(p_dropped oid[]) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_last_rights$
BEGIN
  RETURN (
    SELECT jsonb_object_agg(r.relation_id, pgtrack._with_roles(jsonb_build_object(
             'owner', pg_get_userbyid(c.relowner), 'rights', pgtrack._rights_at_drop(c.oid),
             'code', CASE WHEN pgtrack._snapshot_lasts() THEN 'not sure' ELSE pgtrack._code_state(c.oid) END,
             'partitions', (
               SELECT jsonb_object_agg(format('%I.%I', n.nspname, p.relname), jsonb_build_object(
                        'owner', pg_get_userbyid(p.relowner), 'rights', pgtrack._rights_at_drop(p.oid)))
               FROM pg_class p JOIN pg_namespace n ON n.oid = p.relnamespace
               WHERE c.relkind = 'p' AND p.relispartition AND p.relkind IN ('r', 'p') AND p.oid = ANY (p_dropped)
                 AND pgtrack._is_own_deletion(p.xmax)))))
    FROM pgtrack.relation r JOIN pg_class c ON c.oid = r.relid
    WHERE r.relid = ANY (p_dropped) AND pgtrack._is_own_deletion(c.xmax)
      AND EXISTS (SELECT FROM pgtrack.kept k WHERE k.relation_id = r.relation_id));
END
$_last_rights$;
COMMENT ON FUNCTION pgtrack._last_rights(oid[]) IS
  'In an event trigger: who owned dropped tables of which there are copies, and had rights on them; without those where it is not sure.';

CREATE OR REPLACE FUNCTION pgtrack._lesser_rights(p_copy jsonb, p_last jsonb, p_owner text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_last IS NULL THEN p_copy - 'grants' ELSE p_copy || jsonb_build_object(
    'row_security', (p_copy ->> 'row_security')::boolean OR (p_last ->> 'row_security')::boolean,
    'forced', (p_copy ->> 'forced')::boolean OR (p_last ->> 'forced')::boolean,
    'policies', CASE WHEN p_copy ->> 'state' IS NOT DISTINCT FROM p_last ->> 'state' THEN p_copy -> 'policies' ELSE '[]' END,
    'grants', (
      SELECT coalesce(jsonb_agg(g), '[]') FROM jsonb_array_elements(p_last -> 'grants') g
      WHERE g ->> 'role' = p_owner
         OR EXISTS (SELECT FROM jsonb_array_elements(p_copy -> 'grants') c WHERE g IN (c, c || '{"grantable": false}')))) END;
END;
COMMENT ON FUNCTION pgtrack._lesser_rights(jsonb, jsonb, text) IS
  'What others than the owner might do with a table both when it was copied and when it was dropped, and the owner at last.';

CREATE OR REPLACE FUNCTION pgtrack._refuse_other_code(p_name text, p_former text, p_owner text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $_refuse_other_code$
BEGIN
  RAISE EXCEPTION '% belonged to % when its rows were kept, and to % when it was dropped', p_name, p_former, p_owner USING
    ERRCODE = 'object_not_in_prerequisite_state',
    DETAIL = format('It would come back as %s''s, and its defaults, checks, indexes or triggers were changed since, or may '
                    'have been: %1$s would run code of %s that was gone.', p_owner, p_former),
    HINT = 'The copy stays in schema pgtrack_history; pgtrack.kept names it. Keep a table again when its owner has changed.';
END
$_refuse_other_code$;
COMMENT ON FUNCTION pgtrack._refuse_other_code(text, text, text) IS
  'Refuses to make a table for another owner than it had when it was copied, with code that it did not have any more.';

-- A partition that has changed hands is the table's owner's.
CREATE OR REPLACE FUNCTION pgtrack._partition_at_last(p_part jsonb, p_last jsonb, p_owner text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT p_part || jsonb_build_object('owner', o.owner, 'rights', pgtrack._lesser_rights(
    p_part -> 'rights', CASE WHEN p_last ->> 'owner' = o.owner THEN p_last -> 'rights' END, o.owner))
  FROM (SELECT CASE WHEN p_last ->> 'owner' = p_part ->> 'owner' THEN p_part ->> 'owner' ELSE p_owner END) AS o (owner);
END;
COMMENT ON FUNCTION pgtrack._partition_at_last(jsonb, jsonb, text) IS 'The definition of a partition in a copy, for who had it last.';

-- A trigger or rule is made by whoever has the table; the foreign key of another owner's table is not checked (_attached_to).
CREATE OR REPLACE FUNCTION pgtrack._attached_at_last(p_part jsonb, p_former text, p_owner text) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN p_former = p_owner OR p_part ->> 'owner' IS DISTINCT FROM p_former THEN p_part
              WHEN p_part ->> 'table' IS NULL THEN p_part || jsonb_build_object('owner', p_owner)
              ELSE p_part || jsonb_build_object('statements', (
                SELECT jsonb_agg(regexp_replace(s, '( NOT VALID)?$', ' NOT VALID'))
                FROM jsonb_array_elements_text(p_part -> 'statements') s)) END;
END;
COMMENT ON FUNCTION pgtrack._attached_at_last(jsonb, text, text) IS 'What was attached to a table, for who had it last.';

-- Where nobody noted who had the table last, the definition is for who had it when it was copied.
CREATE OR REPLACE FUNCTION pgtrack._definition_at_last(p_definition jsonb, p_name text) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_definition_at_last$
DECLARE
  v_copy    jsonb := pgtrack._with_present_roles(p_definition - 'last');
  v_last    jsonb := pgtrack._with_present_roles(p_definition -> 'last');
  v_former  text := v_copy ->> 'owner';
  v_owner   text := coalesce(v_last, v_copy) ->> 'owner';
BEGIN
  PERFORM pgtrack._require_roles(coalesce(p_definition -> 'last', p_definition), v_owner, p_name);
  IF v_last IS NULL THEN
    RETURN v_copy;
  ELSIF v_owner IS DISTINCT FROM v_former AND (NOT v_copy ? 'code' OR v_copy ->> 'code' IS DISTINCT FROM v_last ->> 'code') THEN
    PERFORM pgtrack._refuse_other_code(p_name, p_definition ->> 'owner', v_owner);
  END IF;
  IF v_copy -> 'rights' ->> 'state' IS DISTINCT FROM v_last -> 'rights' ->> 'state' THEN
    RAISE WARNING 'the policies of % are not recovered', p_name USING
      DETAIL = 'They were changed after the copy, or may have been. Where row security is on, nobody whom it holds for sees a row.';
  END IF;
  RETURN v_copy || CASE WHEN v_copy ? 'rights'
                        THEN jsonb_build_object('rights', pgtrack._lesser_rights(v_copy -> 'rights', v_last -> 'rights', v_owner))
                        ELSE '{}' END || jsonb_build_object(
    'owner', v_owner,
    'partitions', (
      SELECT coalesce(jsonb_agg(pgtrack._partition_at_last(t.part, v_last -> 'partitions' -> (t.part ->> 'name'), v_owner)
                                ORDER BY t.n), '[]')
      FROM jsonb_array_elements(v_copy -> 'partitions') WITH ORDINALITY AS t (part, n)),
    'attached', (
      SELECT coalesce(jsonb_agg(pgtrack._attached_at_last(t.part, v_former, v_owner) ORDER BY t.n), '[]')
      FROM jsonb_array_elements(v_copy -> 'attached') WITH ORDINALITY AS t (part, n)));
END
$_definition_at_last$;
COMMENT ON FUNCTION pgtrack._definition_at_last(jsonb, text) IS
  'The definition of a copy, for the roles that had rights on the table last, whatever they are called now.';

-- What its roles have lost since the copy was made they do not get back by it another time. Whether all of its code came back is
-- not known, so that is not compared again.
CREATE OR REPLACE FUNCTION pgtrack._as_made(p_definition jsonb, p_made regclass[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT pgtrack._with_roles((p_definition - 'code')
    || CASE WHEN p_definition ? 'rights'
            THEN jsonb_build_object('rights', (p_definition -> 'rights') || jsonb_build_object('state', pgtrack._policies_state(p_made[1])))
            ELSE '{}' END
    || jsonb_build_object('partitions', (
         SELECT coalesce(jsonb_agg(t.part || CASE WHEN jsonb_typeof(t.part -> 'rights') = 'object' THEN jsonb_build_object(
                           'rights', (t.part -> 'rights') || jsonb_build_object('state', pgtrack._policies_state(p_made[t.n + 1])))
                                                  ELSE '{}' END ORDER BY t.n), '[]')
         FROM jsonb_array_elements(p_definition -> 'partitions') WITH ORDINALITY AS t (part, n))));
END;
COMMENT ON FUNCTION pgtrack._as_made(jsonb, regclass[]) IS 'The definition of a copy after a table was created again by it.';

CREATE OR REPLACE FUNCTION pgtrack._are_owners(p_definition jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
  SELECT coalesce(bool_and(coalesce(pg_has_role(r.oid, n.nspowner, 'USAGE'), false)), false)
  FROM (SELECT p_definition ->> 'owner'
        UNION ALL SELECT g ->> 'role' FROM jsonb_array_elements(p_definition -> 'rights' -> 'grants') g) AS x (role)
  JOIN pg_namespace n ON n.nspname = 'pgtrack'
  LEFT JOIN pg_roles r ON r.rolname = x.role;
END;
COMMENT ON FUNCTION pgtrack._are_owners(jsonb) IS 'Whether all who get rights by a definition may do what the owner of pg_track may.';

-- What came after the copy is not for everybody who had the table then.
CREATE OR REPLACE FUNCTION pgtrack._history_goes_on(p_kept pgtrack.kept, p_definition jsonb) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $_history_goes_on$
BEGIN
  IF p_kept.definition ? 'last' OR pgtrack._are_owners(p_definition) OR NOT EXISTS (
       SELECT FROM pgtrack.statement s WHERE s.relation_id = p_kept.relation_id AND s.statement_id > p_kept.statement_id) THEN
    RETURN true;
  END IF;
  RAISE WARNING 'the history of % begins anew', p_kept.definition ->> 'name' USING
    DETAIL = 'It goes on after the copy, and it is not known who might read it when the table was dropped: that happened without '
             'event triggers, before an upgrade, or while somebody changed the rights on it.',
    HINT = 'The former history stays, under its number in pgtrack.relation, for the owner of pg_track.';
  RETURN false;
END
$_history_goes_on$;
COMMENT ON FUNCTION pgtrack._history_goes_on(pgtrack.kept, jsonb) IS
  'Whether a table that comes back from a copy, by a definition, may have the history that it had: whoever may read it then might before.';
