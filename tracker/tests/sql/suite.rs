//! What PostgreSQL's own regression suite showed (scripts/regress).

use crate::support::on_each_version;

#[test]
fn a_search_path_of_blanks_is_one_without_schemas() {
    on_each_version(async |session| {
        session
            .run("SELECT pg_catalog.set_config('search_path', ' ', false); CREATE TABLE public.t (id int PRIMARY KEY, v text)")
            .await;
        session.run("SELECT pgtrack.track('public'); CREATE SCHEMA s CREATE TABLE u (id int PRIMARY KEY); SELECT pgtrack.track('s')").await;
        session.run("INSERT INTO public.t VALUES (1, 'a'); ALTER TABLE public.t ALTER COLUMN id TYPE bigint; UPDATE public.t SET v = 'b'").await;
        session.run("SELECT pgtrack.undo('public.t', 1)").await;
        session.check("SELECT * FROM public.t", "1|a").await;
        session.check("SELECT count(*) FROM pgtrack.verify()", "0").await;
    });
}

#[test]
fn a_type_that_is_only_a_shell_can_be_altered() {
    on_each_version(async |session| {
        session
            .run("CREATE TABLE t (id int PRIMARY KEY); SELECT pgtrack.track('public'); CREATE TYPE shell")
            .await;
        session.run("ALTER TYPE shell OWNER TO CURRENT_USER").await;
        session
            .run("DO $$ BEGIN ALTER TYPE shell OWNER TO CURRENT_USER; DROP TYPE shell; END $$")
            .await;
    });
}

#[test]
fn ddl_starts_no_parallel_workers_whatever_the_session_asks_for() {
    on_each_version(async |session| {
        session.run("SELECT pgtrack.track('public')").await;
        session
            .run("SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
                  SET min_parallel_index_scan_size = 0; SET max_parallel_workers_per_gather = 2")
            .await;
        session.run("CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)").await;
        session.run("CREATE TABLE t_1 PARTITION OF t DEFAULT").await;
        session.run("INSERT INTO t VALUES (1, 'a'); ALTER TABLE t ADD COLUMN w int; UPDATE t SET id = 2; DROP TABLE t_1").await;
        session.run("SELECT pg_stat_force_next_flush()").await;
        // PostgreSQL 18 counts them.
        session
            .check(
                "SELECT coalesce((to_jsonb(d) ->> 'parallel_workers_to_launch')::bigint, 0) FROM pg_stat_database d WHERE d.datname = current_database()",
                "0",
            )
            .await;
    });
}

#[test]
fn event_triggers_of_the_application_do_not_hear_of_rights_on_histories() {
    on_each_version(async |session| {
        session
            .run("SELECT pgtrack.track('public'); CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE heard (tag text); SELECT pgtrack.untrack('heard')")
            .await;
        session
            .run(
                "CREATE FUNCTION hear() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS
                   $$ BEGIN INSERT INTO heard VALUES (tg_tag); END $$;
                 CREATE EVENT TRIGGER hear ON ddl_command_end WHEN TAG IN ('GRANT', 'REVOKE') EXECUTE FUNCTION hear()",
            )
            .await;
        session.run("GRANT SELECT ON t TO PUBLIC").await;
        session.run("REVOKE SELECT ON t FROM PUBLIC").await;
        session
            .check("SELECT tag, count(*) FROM heard GROUP BY 1 ORDER BY 1", "GRANT|1\nREVOKE|1")
            .await;
    });
}
