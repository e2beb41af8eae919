//! The context that the proxy adds to a session.

use std::collections::HashSet;

use pgtrack_testkit::on_each_version;

use crate::support::{TestProxy, Wire, field, on_each_server, server_address, startup};

/// Opens a session with more parameters than the usual.
async fn session(proxy: &TestProxy, database: &str, parameters: &[(&str, &str)]) -> Wire {
    let mut wire = Wire::connect(proxy.address).await;
    let who = [("user", "postgres"), ("database", database)];
    wire.send(&startup(&[&who, parameters].concat())).await;
    wire.until(b'Z').await;
    wire
}

/// The context that the server has, checked to be this client's.
async fn context_of(client: &mut Wire) -> String {
    let context = client.value("SHOW pgtrack.ctx").await;
    let address = client.stream.local_addr().unwrap();
    let expected = format!("2 {} {} ", address.ip(), address.port());
    let id = context.strip_prefix(&expected).unwrap_or_else(|| panic!("{context}"));
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{context}");
    context
}

#[test]
fn each_session_has_a_context_of_its_own() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let mut contexts = HashSet::new();
        for _ in 0..3 {
            let mut client = session(&proxy, "postgres", &[]).await;
            contexts.insert(context_of(&mut client).await);
        }
        assert_eq!(contexts.len(), 3);
    });
}

#[test]
fn replication_sessions_have_a_context() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        for value in ["database", "true"] {
            let mut client = session(&proxy, "postgres", &[("replication", value)]).await;
            context_of(&mut client).await;
        }
    });
}

#[test]
fn case_19_a_context_made_up_by_the_client_is_removed() {
    let attempts = [
        ("PGTRACK.ctx", "x"),
        ("options", "-c pgtrack.ctx=x"),
        ("options", "--pgtrack.ctx=x"),
        ("options", "-cpgtrack.ctx=x"),
        ("options", r"-c pgtrack\.ctx=x"),
        ("options", "-Ec PgTrack.Ctx=x"),
    ];
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        for attempt in attempts {
            let mut client = session(&proxy, "postgres", &[attempt]).await;
            context_of(&mut client).await;
        }
    });
}

#[test]
fn case_19_a_context_made_up_by_the_client_is_removed_even_when_ours_does_not_fit() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let spoofs = [("pgtrack.ctx", "x"), ("options", "--pgtrack.ctx=x"), ("a.b", "")];
        let who = [("user", "postgres"), ("database", "postgres")];
        let padding = "x".repeat(10_004 - startup(&[&who, spoofs.as_slice()].concat()).len());
        let spoofs = [spoofs[0], spoofs[1], ("a.b", &padding)];
        let mut client = session(&proxy, "postgres", &spoofs).await;
        let missing = client.query("SHOW pgtrack.ctx").await;
        assert_eq!(field(&missing[0], b'C'), "42704");
    });
}

#[test]
fn claims_of_the_application_stay() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let claims = [("pgtrack.actor", "ada"), ("options", "-c pgtrack.message=import")];
        let mut client = session(&proxy, "postgres", &claims).await;
        assert_eq!(client.value("SHOW pgtrack.actor").await, "ada");
        assert_eq!(client.value("SHOW pgtrack.message").await, "import");
        context_of(&mut client).await;
    });
}

#[test]
fn case_20_options_have_the_same_effect_as_without_the_proxy() {
    on_each_server(async |server| {
        let proxy = TestProxy::before(server).await;
        let options = r"-c search_path=a,\ b -c geqo=off --work-mem=5MB -E";
        let mut effects = Vec::new();
        for address in [server_address(server), proxy.address] {
            let mut client = Wire::connect(address).await;
            let who = [("user", "postgres"), ("database", "postgres")];
            client.send(&startup(&[who.as_slice(), &[("options", options)]].concat())).await;
            client.until(b'Z').await;
            let settings = "SELECT string_agg(name || '=' || setting, ';' ORDER BY name)
                FROM pg_settings WHERE source = 'client'";
            effects.push(client.value(settings).await);
        }
        assert!(effects[0].contains("search_path=a, b"), "{effects:?}");
        assert_eq!(effects[0], effects[1]);
    });
}

#[test]
fn case_60_and_61_the_context_survives_whatever_the_client_sets() {
    on_each_version(async |database| {
        let proxy = TestProxy::before(database.server()).await;
        let mut client = session(&proxy, database.name(), &[]).await;
        let context = context_of(&mut client).await;
        client
            .query(
                "CREATE FUNCTION context() RETURNS text LANGUAGE plpgsql SET pgtrack.ctx = ''
                 AS $$ BEGIN RETURN set_config('pgtrack.ctx', NULL, true); END $$;
                 CREATE ROLE other_role_of_the_test",
            )
            .await;
        for statement in [
            "SET pgtrack.ctx = 'spoof'",
            "SELECT set_config('pgtrack.ctx', 'spoof', false)",
            "RESET pgtrack.ctx",
            "RESET ALL",
            "DISCARD ALL",
            "SET SESSION AUTHORIZATION other_role_of_the_test",
            "RESET SESSION AUTHORIZATION",
            "SET ROLE other_role_of_the_test",
            "SET pgtrack.ctx = 'spoof'",
        ] {
            client.query(statement).await;
            assert_eq!(client.value("SELECT context()").await, context, "{statement}");
        }
        client.query("RESET ROLE").await;
        client.query("DROP ROLE other_role_of_the_test").await;
    });
}
