//! Who the history says did what, and attempts to have it say something else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pgtrack_proxy::SigningKey;
use pgtrack_testkit::{Database, on_each_version};
use tokio::net::TcpSocket;
use tokio_postgres::Client;

use crate::support::{
    TestProxy, Wire, bind, config, execute, parse, psql, server_address, startup, sync, within,
};

/// A tracked table, and a proxy that signs what it says about clients of the database.
async fn shop(database: &Database) -> (Client, TestProxy) {
    let mut client = database.connect().await;
    pgtrack_tracker::install(&mut client).await.unwrap();
    let sql = "CREATE TABLE users (id int PRIMARY KEY, name text); SELECT pgtrack.track('users')";
    client.batch_execute(sql).await.unwrap();
    let key = SigningKey::new(&pgtrack_tracker::proxy_key(&client).await.unwrap());
    let provision = move |_database: String| {
        let key = key.clone();
        async move { Ok(Some(key)) }
    };
    let proxy = TestProxy::providing(config(server_address(database.server())), provision).await;
    within(Duration::from_secs(20), async {
        // It learns the key when the database is first used.
        while context(&mut Wire::session(proxy.address, database.name()).await).await.is_empty() {}
    })
    .await;
    (client, proxy)
}

/// What a session was told to say about its client, with the signature; empty without one.
async fn context(session: &mut Wire) -> String {
    let context = session.value("SHOW pgtrack.ctx").await;
    if context.split(' ').count() == 5 { context } else { String::new() }
}

/// A session of a client with an address of its own.
async fn session_from(
    address: Ipv4Addr,
    server: SocketAddr,
    database: &Database,
    parameters: &[(&str, &str)],
) -> Wire {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    let mut wire = Wire { stream: socket.connect(server).await.unwrap() };
    let database = ("database", database.name());
    wire.send(&startup(&[&[database], parameters].concat())).await;
    wire.until(b'Z').await;
    wire
}

/// The transactions, oldest first.
async fn log(client: &Client, columns: &str) -> Vec<String> {
    let sql = format!("SELECT concat_ws('|', {columns}) FROM pgtrack.log(100) ORDER BY at");
    client.query(&sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[test]
fn each_change_has_its_person_address_application_and_statement() {
    on_each_version(async |database| {
        let (client, proxy) = shop(&database).await;
        let address = Ipv4Addr::new(127, 0, 0, 2);
        let who = [("user", "postgres"), ("application_name", "shop")];
        let mut app = session_from(address, proxy.address, &database, &who).await;
        let insert = "INSERT INTO users VALUES ($1, 'new') /*actor='ada%40shop'*/";
        let update = "UPDATE users SET name = 'old' /*actor='bob%40shop',route='%2Fcart'*/";
        let run = |id: &[u8]| [bind("", "buy", &[id]), execute("", 0), sync()].concat();
        let pipeline = [
            parse("buy", insert),
            run(b"1"),
            parse("", update),
            bind("", "", &[]),
            execute("", 0),
            sync(),
            run(b"2"),
        ];
        app.send(&pipeline.concat()).await;
        for _ in 0..3 {
            app.until(b'Z').await;
        }
        let port = proxy.address.port();
        let name = database.name();
        let shell =
            format!("host=127.0.0.1 port={port} user=postgres dbname={name} application_name=psql");
        let delete = "PREPARE gone AS DELETE FROM users WHERE id = $1; EXECUTE gone(1)";
        psql(&shell, delete).await.unwrap();
        assert_eq!(
            log(&client, "who, client_addr, application, query").await,
            [
                format!("ada@shop|127.0.0.2|shop|{insert}"),
                format!("bob@shop|127.0.0.2|shop|{update}"),
                format!("ada@shop|127.0.0.2|shop|{insert}"),
                format!("postgres|127.0.0.1|psql|{delete}"),
            ]
        );
        database.remove().await;
    });
}

#[test]
fn nobody_makes_the_history_say_another_address() {
    on_each_version(async |database| {
        let (client, proxy) = shop(&database).await;
        let role = format!("forger_{}", database.name());
        let rights =
            format!("CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT, UPDATE ON users TO {role}");
        client.batch_execute(&rights).await.unwrap();
        let (here, elsewhere) = (Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2));
        let user = ("user", role.as_str());

        // A session whose context somebody has read. It stays open.
        let mut victim = session_from(elsewhere, proxy.address, &database, &[user]).await;
        let copied = context(&mut victim).await;
        assert!(copied.starts_with("1 127.0.0.2 "), "{copied}");
        let invented = "1 127.0.0.2 5 00000000000000000000000000000000 00";
        let mut id = 0;
        for server in [proxy.address, server_address(database.server())] {
            for forged in [copied.as_str(), invented] {
                let option = format!("-c pgtrack.ctx={}", forged.replace(' ', "\\ "));
                let attempts = [
                    ([user, ("pgtrack.ctx", forged)], "SELECT 1".to_owned()),
                    ([user, ("options", &option)], "SELECT 1".to_owned()),
                    ([user, ("a.b", "")], format!("SET pgtrack.ctx = '{forged}'")),
                    (
                        [user, ("a.b", "")],
                        format!("SELECT set_config('pgtrack.ctx', '{forged}', false)"),
                    ),
                ];
                for (parameters, first) in attempts {
                    let mut forger = session_from(here, server, &database, &parameters).await;
                    forger.query(&first).await;
                    id += 1;
                    let answers = forger.query(&format!("INSERT INTO users VALUES ({id})")).await;
                    assert_eq!(answers[0].tag, b'C', "{answers:?}");
                }
                // Nor with the setting there for one transaction, or for a function.
                let mut forger = session_from(here, server, &database, &[user]).await;
                id += 1;
                forger
                    .query(&format!(
                        "BEGIN; SET LOCAL pgtrack.ctx = '{forged}'; INSERT INTO users VALUES ({id}); COMMIT"
                    ))
                    .await;
            }
        }
        assert_eq!(log(&client, "client_addr").await, vec!["127.0.0.1"; 20]);
        let direct = "SELECT count(*) FROM pgtrack.statement WHERE context IS NULL";
        assert_eq!(client.query_one(direct, &[]).await.unwrap().get::<_, i64>(0), 10);
        // The key is for the owner.
        let refused = victim.query("SELECT key FROM pgtrack.proxy_key").await;
        assert_eq!(crate::support::field(&refused[0], b'C'), "42501");
        victim.query("INSERT INTO users VALUES (100)").await;
        assert_eq!(log(&client, "client_addr").await.last().unwrap(), "127.0.0.2");
        client.batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}")).await.unwrap();
        database.remove().await;
    });
}
