//! `pgtrack serve` as a role that is no superuser: it does its work with what `pgtrack install --service-role` gives it,
//! and can do no more.

use std::process::Command;
use std::time::Instant;

use pgtrack_testkit::{Database, on_each_version};

use crate::operating::{PATIENCE, Service, content};
use crate::program::{pgtrack, psql, run_psql};

/// A database whose tables belong to a role, with an application that may write them and a service.
struct Shop {
    database: Database,
    owner: String,
    app: String,
    service: String,
}

impl Shop {
    fn new(database: Database) -> Self {
        let role = |kind: &str| format!("{kind}_{}", database.name());
        let (owner, app, service) = (role("owner"), role("app"), role("service"));
        psql(
            &database.url(),
            &format!(
                "CREATE ROLE {owner} LOGIN; CREATE ROLE {app} LOGIN;
                 CREATE SCHEMA app AUTHORIZATION {owner};
                 SET ROLE {owner};
                 CREATE TABLE app.t (id int PRIMARY KEY, v int); INSERT INTO app.t VALUES (1, 1);
                 CREATE TABLE app.secret (id int PRIMARY KEY);
                 GRANT USAGE ON SCHEMA app TO {app}; GRANT SELECT, INSERT, UPDATE, DELETE ON app.t TO {app}"
            ),
        );
        let shop = Self { database, owner, app, service };
        shop.pgtrack(&["install"]);
        shop.pgtrack(&["track", "app"]);
        shop
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = pgtrack();
        command.args(arguments).args(["--db", &self.database.url()]);
        command
    }

    /// What the program says as the superuser.
    #[track_caller]
    fn pgtrack(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn url(&self, role: &str) -> String {
        self.database.url().replace("postgres@", &format!("{role}@"))
    }

    fn serve(&self, rails: &str) -> Service {
        let content = format!("{}{rails}", content(&self.url(&self.service), 10));
        Service::start(self.database.name(), &content, &[])
    }

    fn through(&self, service: &Service, role: &str) -> String {
        service.url(self.database.name()).replace("postgres@", &format!("{role}@"))
    }

    /// Waits until a query says this.
    #[track_caller]
    fn until(&self, query: &str, expected: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            let found = psql(&self.database.url(), query);
            if found == expected {
                return;
            }
            assert!(Instant::now() < until, "{query}: {found}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Roles are the server's, so they outlive the database.
    async fn remove(self, service: Option<Service>) {
        drop(service);
        let server = self.database.server();
        self.database.remove().await;
        for role in [self.service, self.owner, self.app] {
            psql(&server.url("postgres"), &format!("DROP ROLE {role}"));
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "closures are written where they are used")]
fn on_shop(body: impl AsyncFn(&Shop) -> Option<Service>) {
    on_each_version(async |database| {
        let shop = Shop::new(database);
        let service = body(&shop).await;
        shop.remove(service).await;
    });
}

#[test]
fn a_service_needs_no_superuser() {
    on_shop(async |shop| {
        let said =
            shop.pgtrack(&["install", "--service-role", &shop.service, "--undo-as", &shop.owner]);
        assert!(said.contains(&format!("\nCREATE ROLE {} LOGIN\n", shop.service)), "{said}");
        assert!(said.contains(&format!("\nGRANT {} TO {}\n", shop.owner, shop.service)), "{said}");
        // Whoever runs it again changes nothing.
        let again = shop.pgtrack(&["install", "--service-role", &shop.service]);
        assert!(!again.contains("CREATE ROLE"), "{again}");

        let service = shop.serve("[[guard]]\ndrop_table = \"tag\"\n");
        let app = shop.through(&service, &shop.app);
        psql(&app, "UPDATE app.t SET v = 2");
        let of_change = "SELECT user_name, client_addr, through_proxy FROM pgtrack.activity WHERE operation = 'UPDATE'";
        assert_eq!(psql(&shop.database.url(), of_change), format!("{}|127.0.0.1|t", shop.app));

        psql(&app, "SELECT pgtrack.undo('app.t', 1)");
        let of_call = "SELECT user_name, verb, outcome, through_proxy, client_addr FROM pgtrack.audit WHERE verb = 'undo'";
        shop.until(of_call, &format!("{}|undo|done|t|127.0.0.1", shop.app));
        assert!(!run_psql(&app, "SELECT pgtrack.undo('app.t', 2)").status.success());
        shop.until("SELECT count(*) FROM pgtrack.audit WHERE outcome = 'failed'", "1");

        // The rail sets a tag, and keeps the rows.
        psql(&shop.through(&service, &shop.owner), "DROP TABLE app.t");
        shop.until("SELECT count(*) FROM pgtrack.tags()", "1");
        shop.until("SELECT row_count FROM pgtrack.kept", "1");
        assert_eq!(service.get("/readyz"), (200, "ready\n".into()));
        Some(service)
    });
}

#[test]
fn a_service_has_no_right_that_it_does_not_need() {
    on_shop(async |shop| {
        shop.pgtrack(&["install", "--service-role", &shop.service, "--read", "app.t"]);
        psql(&shop.url(&shop.app), "UPDATE app.t SET v = 2; SELECT pgtrack.undo('app.t', 1)");
        let service = shop.url(&shop.service);
        assert_eq!(psql(&service, "SELECT count(*) FROM pgtrack.changes('app.t')"), "2");
        let history = psql(
            &shop.database.url(),
            "SELECT format('pgtrack_history.%I', history_table) FROM pgtrack.relation WHERE table_name = 't'",
        );
        let owner = psql(
            &shop.database.url(),
            "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'pgtrack'",
        );
        for sql in [
            "INSERT INTO pgtrack.tag (name, snapshot, at, who) VALUES ('x', pg_current_snapshot(), now(), 'eve')",
            "DELETE FROM pgtrack.statement",
            "UPDATE pgtrack.relation SET options = '{}'",
            "INSERT INTO pgtrack.proxy_key (key) VALUES ('\\x00')",
            "DELETE FROM pgtrack.audit_entry",
            "UPDATE pgtrack.audit_entry SET verb = 'tag'",
            "CREATE OR REPLACE FUNCTION pgtrack.version() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
            "CREATE FUNCTION pgtrack.mine() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
            "CREATE TABLE pgtrack_history.mine ()",
            "CREATE SCHEMA mine",
            "SELECT * FROM pgtrack.track('app.secret')",
            "SELECT * FROM pgtrack.untrack('app.t')",
            "SELECT * FROM pgtrack.purge('1 s'::interval)",
            "SELECT * FROM pgtrack.grant_service('eve')",
            "SELECT * FROM app.secret",
            "SELECT * FROM pgtrack.changes('app.secret')",
            "UPDATE app.t SET v = 3",
            "SELECT pgtrack.keep('app.secret')",
            "ALTER ROLE CURRENT_USER SUPERUSER",
            &format!("DELETE FROM {history}"),
            &format!("UPDATE {history} SET v = 3"),
            &format!("SET ROLE {owner}"),
            &format!("SET ROLE {}", shop.owner),
        ] {
            let output = run_psql(&service, sql);
            let told = String::from_utf8_lossy(&output.stderr);
            let is_refused = ["permission denied", "must be owner", "must be superuser"];
            assert!(is_refused.iter().any(|text| told.contains(text)), "{sql}\n{told}");
        }
        // A record that the function made stays what it is.
        let sql = "UPDATE pgtrack.audit_entry SET outcome = 'failed'";
        psql(&service, sql);
        let sql = "SELECT count(*) FROM pgtrack.audit_entry WHERE outcome = 'failed'";
        assert_eq!(psql(&shop.database.url(), sql), "0");

        // Another database of the server is none of its business.
        let other = shop.database.server().database().await;
        psql(&other.url(), "SELECT 1");
        let status = pgtrack().args(["install", "--db", &other.url()]).status().unwrap();
        assert!(status.success());
        let there = other.url().replace("postgres@", &format!("{}@", shop.service));
        for sql in ["SELECT key FROM pgtrack.proxy_key", "SELECT pgtrack.tag('mine')"] {
            let told = run_psql(&there, sql).stderr;
            let told = String::from_utf8_lossy(&told);
            assert!(told.contains("permission denied"), "{sql}\n{told}");
        }
        other.remove().await;
        None
    });
}

#[test]
fn a_service_is_given_no_more_than_it_may_have() {
    on_shop(async |shop| {
        let owner = psql(
            &shop.database.url(),
            "SELECT nspowner::regrole FROM pg_namespace WHERE nspname = 'pgtrack'",
        );
        let name = shop.service.as_str();
        for (arguments, reason) in [
            (&["--service-role", "postgres"] as &[&str], "may already do everything with pg_track"),
            (&["--service-role", name, "--undo-as", "postgres"], "may already do everything"),
            (&["--service-role", name, "--undo-as", &owner], "may already do everything"),
            (&["--service-role", name, "--undo-as", "nobody_at_all"], "does not exist"),
            (
                &["--service-role", name, "--read", "app.nothing"],
                "table \"app.nothing\" does not exist",
            ),
        ] {
            let output = shop.command(&[&["install"], arguments].concat()).output().unwrap();
            let told = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && told.contains(reason), "{arguments:?}\n{told}");
        }
        let output = shop.command(&["install", "--read", "app"]).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let by_app = format!("SELECT pgtrack.grant_service('{name}')");
        let told = run_psql(&shop.url(&shop.app), &by_app).stderr;
        let told = String::from_utf8_lossy(&told);
        assert!(told.contains("permission denied to grant the rights of a service"), "{told}");

        // With a password, which the server never sees.
        let mut install = shop.command(&["install", "--service-role", name]);
        let output = install.env("PGTRACK_SERVICE_PASSWORD", "sesame").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(!String::from_utf8(output.stdout).unwrap().contains("sesame"));
        let stored = format!(
            "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname = '{name}'"
        );
        assert_eq!(psql(&shop.database.url(), &stored), "t");
        None
    });
}

#[test]
fn where_pg_track_is_missing_a_service_says_who_can_install_it() {
    on_each_version(async |database| {
        let role = format!("service_{}", database.name());
        psql(&database.url(), &format!("CREATE ROLE {role} LOGIN"));
        let upstream = database.url().replace("postgres@", &format!("{role}@"));
        let output = pgtrack()
            .args(["serve", "--upstream", &upstream, "--listen", "127.0.0.1:0"])
            .args(["--dashboard", "127.0.0.1:0"])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains("pgtrack install --service-role NAME"), "{told}");
        psql(&database.url(), &format!("DROP ROLE {role}"));
    });
}

#[test]
fn a_superuser_is_warned_of() {
    on_each_version(async |database| {
        let content = content(&database.url(), 10);
        let config = std::env::temp_dir().join(format!("pgtrack-{}-super.toml", database.name()));
        std::fs::write(&config, content).unwrap();
        let mut process = pgtrack()
            .args(["serve", "--config", config.to_str().unwrap()])
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let log = std::io::BufReader::new(process.stderr.take().unwrap());
        let warning = std::io::BufRead::lines(log)
            .map_while(Result::ok)
            .find(|line| line.contains("is a superuser") || line.contains("dashboard listens"));
        process.kill().unwrap();
        process.wait().unwrap();
        std::fs::remove_file(config).unwrap();
        assert!(
            warning.as_ref().is_some_and(|line| line.contains("is a superuser")),
            "{warning:?}"
        );
    });
}
