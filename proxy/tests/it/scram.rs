//! SCRAM with every combination of encrypted legs, tried with libpq.

use std::fmt::Write as _;
use std::fs;

use pgtrack_proxy::{ClientTlsMode, Config, SslMode, UpstreamTls, VerifierQuery, VerifierSource};
use pgtrack_testkit::{Binaries, block_on, connect, newest, versions};

use crate::support::{Certificates, TestProxy, TlsServer, psql};

/// A server with TLS, and proxies before it.
struct Bench {
    certificates: Certificates,
    server: TlsServer,
}

/// How libpq complains when the server offers less than it asks for.
const CLIENT_INSISTS: &str = "channel binding";

impl Bench {
    async fn start(binaries: &Binaries) -> Self {
        let certificates = Certificates::new();
        certificates.sign("proxy", "localhost", &["localhost", "127.0.0.1"]);
        let server = TlsServer::start(binaries, &certificates).await;
        Self { certificates, server }
    }

    /// The settings of a proxy with a certificate for clients, if it has any.
    fn config(&self, client: Option<&str>, upstream: SslMode) -> Config {
        let client_tls =
            client.map(|file| self.certificates.client_tls(ClientTlsMode::Allow, file));
        Config {
            client_tls: client_tls.unwrap_or_default(),
            upstream_tls: UpstreamTls { mode: upstream, ..UpstreamTls::default() },
            ..self.server.config()
        }
    }

    async fn proxy(&self, client: Option<&str>, upstream: SslMode) -> TestProxy {
        TestProxy::with(self.config(client, upstream)).await
    }

    /// A proxy whose legs have different certificates, and that knows the verifiers.
    async fn bridging(&self, verifiers: VerifierSource) -> TestProxy {
        let config = self.config(Some("proxy"), SslMode::Require);
        TestProxy::with(Config { verifiers: Some(verifiers), ..config }).await
    }

    /// The verifiers of some roles, in a file.
    async fn file(&self, roles: &[&str]) -> VerifierSource {
        let admin = connect(&self.server.cluster.url("postgres")).await;
        let mut lines = String::from("; made for a test\n");
        for role in roles {
            let query = "SELECT rolpassword FROM pg_authid WHERE rolname = $1";
            let row = admin.query_one(query, &[role]).await.unwrap();
            writeln!(lines, "\"{role}\" \"{}\"", row.get::<_, &str>(0)).unwrap();
        }
        let path = self.certificates.path("users.txt");
        fs::write(&path, lines).unwrap();
        VerifierSource::File(path)
    }
}

fn query() -> VerifierSource {
    VerifierSource::Query(VerifierQuery {
        user: "postgres".into(),
        password: None,
        database: "postgres".into(),
        sql: VerifierQuery::DEFAULT_SQL.into(),
    })
}

async fn log_in(proxy: &TestProxy, role: &str, parameters: &str) -> Result<String, String> {
    log_in_with(proxy, role, "secret", parameters).await
}

async fn log_in_with(
    proxy: &TestProxy,
    role: &str,
    password: &str,
    parameters: &str,
) -> Result<String, String> {
    let port = proxy.address.port();
    let connection = format!(
        "host=127.0.0.1 port={port} user={role} password={password} dbname=postgres {parameters}"
    );
    psql(
        &connection,
        "SELECT session_user || ' ' || ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    )
    .await
}

#[expect(clippy::unnecessary_wraps, reason = "is compared with a result")]
fn ok(role: &str, is_upstream_tls: bool) -> Result<String, String> {
    Ok(format!("{role} {is_upstream_tls}"))
}

#[track_caller]
fn check_refused(result: Result<String, String>, expected: &str) {
    let error = result.expect_err("the client is refused");
    assert!(error.contains(expected), "{error}");
}

fn on_oldest_and_newest(body: impl AsyncFn(Bench)) {
    let all = versions();
    for binaries in [&all[0], &all[all.len() - 1]] {
        block_on(async { body(Bench::start(binaries).await).await });
    }
}

#[test]
fn case_25_and_27_scram_where_at_most_one_leg_is_encrypted() {
    on_oldest_and_newest(async |bench| {
        let proxy = bench.proxy(None, SslMode::Disable).await;
        assert_eq!(log_in(&proxy, "ada", "").await, ok("ada", false));
        check_refused(log_in(&proxy, "ada", "channel_binding=require").await, CLIENT_INSISTS);

        let proxy = bench.proxy(Some("proxy"), SslMode::Disable).await;
        assert_eq!(log_in(&proxy, "ada", "sslmode=require").await, ok("ada", false));
        let insisting = "sslmode=require channel_binding=require";
        check_refused(log_in(&proxy, "ada", insisting).await, CLIENT_INSISTS);

        // Verbatim, libpq would take the offer of channel binding without TLS for an attack.
        let proxy = bench.proxy(None, SslMode::Require).await;
        assert_eq!(log_in(&proxy, "ada", "").await, ok("ada", true));
        check_refused(log_in(&proxy, "ada", "channel_binding=require").await, CLIENT_INSISTS);
        check_refused(
            log_in_with(&proxy, "ada", "wrong", "").await,
            "password authentication failed for user \"ada\"",
        );
    });
}

#[test]
fn case_26_different_certificates_without_verifiers_are_refused_with_advice() {
    on_oldest_and_newest(async |bench| {
        let proxy = bench.proxy(Some("proxy"), SslMode::Require).await;
        let refused = log_in(&proxy, "ada", "sslmode=require").await;
        check_refused(refused.clone(), "SCRAM channel binding is not possible through this proxy");
        check_refused(refused, "HINT:  Connect with channel_binding=disable");
        let without = "sslmode=require channel_binding=disable";
        assert_eq!(log_in(&proxy, "ada", without).await, ok("ada", true));
        let insisting = "sslmode=require channel_binding=require";
        check_refused(log_in(&proxy, "ada", insisting).await, CLIENT_INSISTS);
        // Clients without TLS, and other methods, go through as ever.
        assert_eq!(log_in(&proxy, "ada", "sslmode=disable").await, ok("ada", true));
        assert_eq!(log_in(&proxy, "md5", "sslmode=require").await, ok("md5", true));
        assert_eq!(log_in(&proxy, "tls_only", "sslmode=require").await, ok("tls_only", true));
    });
}

#[test]
fn case_27_with_the_servers_certificate_channel_binding_works_through_the_proxy() {
    on_oldest_and_newest(async |bench| {
        let proxy = bench.proxy(Some("server"), SslMode::Require).await;
        for parameters in ["", "channel_binding=require", "channel_binding=disable"] {
            let parameters = format!("sslmode=require {parameters}");
            assert_eq!(log_in(&proxy, "ada", &parameters).await, ok("ada", true), "{parameters}");
        }
        check_refused(
            log_in_with(&proxy, "ada", "wrong", "sslmode=require channel_binding=require").await,
            "password authentication failed for user \"ada\"",
        );
    });
}

#[test]
fn case_26_28_30_and_32_different_certificates_with_verifiers() {
    on_oldest_and_newest(async |bench| {
        let file = bench.file(&["ada", "expired"]).await;
        for verifiers in [file, query()] {
            let proxy = bench.bridging(verifiers).await;
            for parameters in ["", "channel_binding=require", "channel_binding=disable"] {
                let parameters = format!("sslmode=require {parameters}");
                let admitted = log_in(&proxy, "ada", &parameters).await;
                assert_eq!(admitted, ok("ada", true), "{parameters}");
            }
            // The server itself says no, in the same words for every reason.
            for (role, password) in
                [("ada", "wrong"), ("expired", "secret"), ("nobody_of_this_name", "secret")]
            {
                for parameters in ["sslmode=require", "sslmode=require channel_binding=require"] {
                    let refused = log_in_with(&proxy, role, password, parameters).await;
                    let expected =
                        format!("FATAL:  password authentication failed for user \"{role}\"");
                    check_refused(refused, &expected);
                }
            }
            assert_eq!(log_in(&proxy, "ada", "sslmode=disable").await, ok("ada", true));
            assert_eq!(log_in(&proxy, "md5", "sslmode=require").await, ok("md5", true));
        }
    });
}

#[test]
fn a_role_that_may_not_log_in_is_told_so_by_the_server() {
    on_oldest_and_newest(async |bench| {
        let proxy = bench.bridging(query()).await;
        let admin = connect(&bench.server.cluster.url("postgres")).await;
        admin.batch_execute("CREATE ROLE group_role PASSWORD 'secret'").await.unwrap();
        let refused = log_in(&proxy, "group_role", "sslmode=require").await;
        check_refused(refused, "FATAL:  role \"group_role\" is not permitted to log in");
        let refused = log_in_with(&proxy, "group_role", "wrong", "sslmode=require").await;
        check_refused(refused, "password authentication failed for user \"group_role\"");
    });
}

#[test]
fn case_26_a_verifier_that_is_out_of_date_is_as_good_as_none() {
    block_on(async {
        let bench = Bench::start(&newest()).await;
        let proxy = bench.bridging(bench.file(&["ada"]).await).await;
        let admin = connect(&bench.server.cluster.url("postgres")).await;
        admin.batch_execute("ALTER ROLE ada PASSWORD 'secret'").await.unwrap();
        // The same password, with another salt.
        check_refused(
            log_in(&proxy, "ada", "sslmode=require").await,
            "password authentication failed for user \"ada\"",
        );
        let config = Config {
            verifiers: Some(bench.file(&["ada"]).await),
            ..bench.config(Some("proxy"), SslMode::Require)
        };
        proxy.control.reload(config.clone()).unwrap();
        assert_eq!(log_in(&proxy, "ada", "sslmode=require").await, ok("ada", true));
    });
}

#[test]
fn case_31_the_search_path_of_a_client_does_not_matter_to_the_query() {
    block_on(async {
        let bench = Bench::start(&newest()).await;
        let admin = connect(&bench.server.cluster.url("postgres")).await;
        // Whoever can create these would like to have them called by the role that asks for verifiers.
        admin
            .batch_execute(
                "CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
                 CREATE VIEW evil.pg_authid AS SELECT 'ada'::name AS rolname, true AS rolcanlogin,
                     NULL::timestamptz AS rolvaliduntil, 'stolen'::text AS rolpassword;
                 ALTER ROLE ALL SET search_path = evil, pg_catalog",
            )
            .await
            .unwrap();
        let VerifierSource::Query(query) = query() else { unreachable!("it is a query") };
        let sql = query.sql.replace("pg_catalog.", "");
        let proxy = bench.bridging(VerifierSource::Query(VerifierQuery { sql, ..query })).await;
        let parameters = "sslmode=require options='-c search_path=evil,pg_catalog'";
        assert_eq!(log_in(&proxy, "ada", parameters).await, ok("ada", true));
    });
}
