//! Who the history says did what, and attempts to have it say something else.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use pgtrack_proxy::{Config, Upstream};
use pgtrack_testkit::{Database, Server, block_on, connect, on_each_version, own_server, versions};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_postgres::Client;

use crate::support::{
    TestProxy, Wire, bind, config, context, execute, parse, psql, server_address, signing_key,
    startup, sync, until_true, with_key, within,
};

/// A tracked table, and a proxy that signs what it says about clients of the database.
async fn shop(database: &Database) -> (Client, TestProxy) {
    let client = tracked(database.connect().await).await;
    let config = config(server_address(database.server()));
    let proxy = signing(&client, database.name(), config, 0).await;
    (client, proxy)
}

async fn tracked(mut client: Client) -> Client {
    pgtrack_tracker::install(&mut client).await.unwrap();
    let sql = "CREATE TABLE users (id int PRIMARY KEY, name text); SELECT pgtrack.track('users')";
    client.batch_execute(sql).await.unwrap();
    client
}

/// A proxy that signs, and takes the server's clock to be ahead by so much.
async fn signing(client: &Client, database: &str, config: Config, ahead_millis: i64) -> TestProxy {
    let key = signing_key(client, ahead_millis).await;
    let proxy = TestProxy::providing(config, with_key(key)).await;
    proxy.signs(database).await;
    proxy
}

/// Waits until a copy of this context comes too late.
async fn aged(client: &Client, context: &str) {
    let moment = context.split(' ').nth(4).unwrap();
    let sql = format!(
        "SELECT clock_timestamp() > to_timestamp({moment} / 1000.0) + interval '30.5 seconds'"
    );
    until_true(client, &sql).await;
}

/// A connection to the server from this port, or None if the port is not free within two seconds.
async fn connected_from(port: u16, server: SocketAddr) -> Option<TcpStream> {
    for _ in 0..400 {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        // The port is free when the proxy has closed its connection.
        let bound = socket.bind((Ipv4Addr::LOCALHOST, port).into());
        if let (Ok(()), Ok(stream)) = (bound, socket.connect(server).await) {
            return Some(stream);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    None
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
        assert!(copied.starts_with("2 127.0.0.2 "), "{copied}");
        let invented = "2 127.0.0.2 5 00000000000000000000000000000000 0 00";
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

/// Whether each statement came through the proxy, oldest first.
async fn through_proxy(client: &Client) -> Vec<bool> {
    let sql = "SELECT through_proxy FROM pgtrack.activity ORDER BY at";
    client.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

/// The server's clock is taken to be this much behind, so that a copy comes too late after seconds.
const NEARLY_TOO_LATE: i64 = -25_000;

#[test]
fn what_is_recorded_has_no_signature_and_an_older_version_is_not_believed() {
    on_each_version(async |database| {
        let (client, proxy) = shop(&database).await;
        let mut session = Wire::session(proxy.address, database.name()).await;
        let signed = context(&mut session).await;
        session.query("INSERT INTO users VALUES (1)").await;
        let recorded = "SELECT context FROM pgtrack.statement";
        let recorded: String = client.query_one(recorded, &[]).await.unwrap().get(0);
        let facts: Vec<_> = signed.split(' ').take(4).collect();
        assert_eq!(recorded, facts.join(" "));
        // Those that an older version has left are shown as they were.
        let old = "UPDATE pgtrack.statement SET context = '1 203.0.113.7 5 00 11'";
        client.batch_execute(old).await.unwrap();
        assert_eq!(log(&client, "client_addr").await, ["203.0.113.7"]);
        database.remove().await;
    });
}

#[test]
fn the_server_s_clock_counts() {
    on_each_version(async |database| {
        let client = tracked(database.connect().await).await;
        for (ahead_millis, is_believed) in
            [(0, true), (-20_000, true), (300_000, false), (-300_000, false)]
        {
            let config = config(server_address(database.server()));
            let proxy = signing(&client, database.name(), config, ahead_millis).await;
            let mut session = Wire::session(proxy.address, database.name()).await;
            session.query("TRUNCATE users; INSERT INTO users VALUES (1)").await;
            let last = through_proxy(&client).await.pop();
            assert_eq!(last, Some(is_believed), "{ahead_millis}");
        }
        database.remove().await;
    });
}

#[test]
fn a_context_is_worth_nothing_to_a_later_connection_from_the_same_port() {
    on_each_version(async |database| {
        let client = tracked(database.connect().await).await;
        let server = server_address(database.server());
        let proxy = signing(&client, database.name(), config(server), NEARLY_TOO_LATE).await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = $1";
        // Whoever else is on this machine may get the port between: then again, with another one.
        let (copied, port, stream) = within(Duration::from_secs(100), async {
            loop {
                let mut session = Wire::session(proxy.address, database.name()).await;
                session.query("TRUNCATE users; INSERT INTO users VALUES (1)").await;
                let copied = context(&mut session).await;
                let port: u16 = session.value("SELECT inet_client_port()").await.parse().unwrap();
                // The side that closes first keeps the pair of ports for a minute: let it be the server.
                client.execute(end, &[&i32::from(port)]).await.unwrap();
                session.rest().await;
                aged(&client, &copied).await;
                if let Some(stream) = connected_from(port, server).await {
                    break (copied, port, stream);
                }
            }
        })
        .await;
        let mut forger = Wire { stream };
        let who = [("user", "postgres"), ("database", database.name()), ("pgtrack.ctx", &copied)];
        forger.send(&startup(&who)).await;
        forger.until(b'Z').await;
        assert_eq!(forger.value("SELECT inet_client_port()").await, port.to_string());
        forger.query("INSERT INTO users VALUES (2)").await;
        let told = through_proxy(&client).await;
        assert_eq!(told[told.len() - 2..], [true, false]);
        database.remove().await;
    });
}

#[test]
fn a_context_is_worth_nothing_to_a_later_connection_over_the_unix_socket() {
    for binaries in versions() {
        block_on(async {
            let cluster = own_server(&binaries, &[]);
            let server = Server::of(&cluster);
            let client = tracked(connect(&server.url("postgres")).await).await;
            let host = cluster.directory().to_str().unwrap().to_owned();
            let socket = format!("{host}/.s.PGSQL.{}", cluster.port());
            let upstream = Upstream { host, port: cluster.port() };
            let config =
                Config { upstream: upstream.into(), ..config((Ipv4Addr::LOCALHOST, 0).into()) };
            let proxy = signing(&client, "postgres", config, NEARLY_TOO_LATE).await;
            let mut session = Wire::session(proxy.address, "postgres").await;
            session.query("INSERT INTO users VALUES (1)").await;
            let copied = context(&mut session).await;
            aged(&client, &copied).await;

            let mut forger = Wire { stream: UnixStream::connect(&socket).await.unwrap() };
            let who = [("user", "postgres"), ("pgtrack.ctx", &copied)];
            forger.send(&startup(&who)).await;
            forger.until(b'Z').await;
            forger.query("INSERT INTO users VALUES (2)").await;
            assert_eq!(through_proxy(&client).await, [true, false]);
        });
    }
}
