//! A database of a test's own, and connections to it.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::{Client, Config, NoTls};

use crate::Server;

/// A database that nobody else uses.
#[derive(Debug, Clone)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    pub(crate) async fn create(server: Server, template: &str) -> Self {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let admin = connect(&server.url("postgres")).await;
        admin
            .batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {template}"))
            .await
            .expect("the database can be created");
        Self { server, name }
    }

    /// Makes sure that the template database exists; one process sets it up, the others wait.
    pub(crate) async fn template(server: Server, name: &str, setup: impl AsyncFnOnce(Self)) {
        let admin = connect(&server.url("postgres")).await;
        admin
            .execute("SELECT pg_advisory_lock(hashtext($1))", &[&name])
            .await
            .expect("the lock can be taken");
        let ready = admin
            .query_opt("SELECT datistemplate FROM pg_database WHERE datname = $1", &[&name])
            .await
            .expect("the catalog can be read")
            .is_some_and(|row| row.get(0));
        if !ready {
            admin
                .batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))
                .await
                .expect("a half-made template can be dropped");
            admin
                .batch_execute(&format!("CREATE DATABASE {name}"))
                .await
                .expect("the template can be created");
            setup(Self { server, name: name.to_owned() }).await;
            admin
                .batch_execute(&format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}';
                     UPDATE pg_database SET datistemplate = true WHERE datname = '{name}'"
                ))
                .await
                .expect("the template can be sealed");
        }
    }

    /// The server it is on.
    pub fn server(&self) -> Server {
        self.server
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection URL for the superuser.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Connects as the superuser.
    ///
    /// # Panics
    /// When the connection fails.
    pub async fn connect(&self) -> Client {
        connect(&self.url()).await
    }

    /// Connects as another role.
    ///
    /// # Panics
    /// When the connection fails.
    pub async fn connect_as(&self, role: &str) -> Client {
        let mut config: Config = self.url().parse().expect("the URL is valid");
        config.user(role);
        open(&config).await
    }

    /// Removes the database, ending sessions that still use it.
    ///
    /// # Panics
    /// When the server refuses.
    pub async fn remove(self) {
        let admin = connect(&self.server.url("postgres")).await;
        admin
            .batch_execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name))
            .await
            .expect("the database can be dropped");
    }
}

/// Connects to a URL without TLS and drives the connection in the background.
///
/// # Panics
/// When the connection fails.
pub async fn connect(url: &str) -> Client {
    open(&url.parse().expect("the URL is valid")).await
}

async fn open(config: &Config) -> Client {
    let (client, connection) = config.connect(NoTls).await.expect("the server accepts connections");
    // The connection ends with its client; its error reaches the client's next call.
    tokio::spawn(connection);
    client
}
