//! `pgtrack serve` in a database where nobody is a superuser, so that there are no event triggers.

use std::time::Instant;

use pgtrack_testkit::{Database, on_each_version};

use crate::operating::{PATIENCE, Service, content};
use crate::program::psql;

/// A service that connects as a role which owns nothing but what it makes.
fn serve_without_superuser(database: &Database, role: &str, period: u32) -> Service {
    let name = database.name();
    psql(
        &database.url(),
        &format!(
            "CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {name} TO {role};
             CREATE SCHEMA app AUTHORIZATION {role}"
        ),
    );
    let upstream = database.url().replace("postgres@", &format!("{role}@"));
    let content =
        format!("track = [\"app\"]\nfollow_ddl_seconds = {period}\n{}", content(&upstream, 10));
    Service::start(name, &content, &[])
}

/// Waits until these tables are tracked, and no other.
fn until_tracked(database: &Database, tables: &str) {
    let sql = "SELECT string_agg(table_name, ' ' ORDER BY table_name) FROM pgtrack.relation WHERE tracked_until IS NULL";
    let until = Instant::now() + PATIENCE;
    while psql(&database.url(), sql) != tables {
        assert!(Instant::now() < until, "{} is not {tables}", psql(&database.url(), sql));
    }
}

#[test]
fn what_is_defined_through_the_proxy_is_followed_when_it_is_committed() {
    on_each_version(async |database| {
        let role = format!("plain_{}", database.name());
        let service = serve_without_superuser(&database, &role, 0);
        let url = service.url(database.name()).replace("postgres@", &format!("{role}@"));
        psql(&url, "CREATE TABLE app.one (id int PRIMARY KEY)");
        until_tracked(&database, "one");
        // A function's work does not show; the end of a transaction with a statement that does is the next look.
        psql(&url, "DO 'BEGIN CREATE TABLE app.hidden (id int PRIMARY KEY); END'");
        psql(
            &url,
            "BEGIN; ALTER TABLE app.one RENAME TO two; CREATE TABLE app.three AS SELECT 1 AS id; COMMIT",
        );
        until_tracked(&database, "hidden three two");
        psql(&url, "DROP TABLE app.hidden, app.three; CREATE TABLE app.four AS SELECT 1 AS id");
        until_tracked(&database, "four two");
        psql(&url, "CREATE TABLE app.five AS SELECT 1 AS id");
        until_tracked(&database, "five four two");
        psql(&url, "INSERT INTO app.two VALUES (1)");
        assert_eq!(psql(&url, "SELECT op FROM pgtrack.history('app.two', 1)"), "INSERT");
        remove(&database, service, &role);
    });
}

#[test]
fn what_is_defined_elsewhere_is_found_now_and_then() {
    on_each_version(async |database| {
        let role = format!("plain_{}", database.name());
        let service = serve_without_superuser(&database, &role, 1);
        let direct = database.url().replace("postgres@", &format!("{role}@"));
        psql(&direct, "CREATE TABLE app.one (id int PRIMARY KEY)");
        until_tracked(&database, "one");
        psql(&direct, "DROP TABLE app.one");
        let sql = "SELECT count(*) FROM pgtrack.relation WHERE tracked_until IS NULL";
        let until = Instant::now() + PATIENCE;
        while psql(&direct, sql) != "0" {
            assert!(Instant::now() < until, "the table is still tracked");
        }
        remove(&database, service, &role);
    });
}

/// Roles are the server's, so they outlive the database.
fn remove(database: &Database, service: Service, role: &str) {
    drop(service);
    psql(&database.url(), &format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}"));
}
