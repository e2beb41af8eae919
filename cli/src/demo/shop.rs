//! The demo's database: a small shop, and what happened there this morning.

use std::net::SocketAddr;

use pgtrack_cluster::Cluster;
use pgtrack_tracker::service::{self, Reach};
use tokio_postgres::{Client, Config, NoTls};

use crate::error::Error;

const NAME: &str = "shop";
const SCHEMA: &str = "demo";
const SCRIPT: &str = include_str!("shop.sql");
/// Who owns the shop's tables.
const OWNER: &str = "shop";
/// Who pgtrack itself connects as.
const SERVICE: &str = "pgtrack";

/// Changes by several applications on behalf of several people, so that there is something to look at.
const MORNING: [(&str, &str, &str, &str); 8] = [
    (
        "support",
        "helpdesk",
        "emi@shop.example",
        "UPDATE users SET email = 'ada.moreau@shop.example' WHERE id = 1",
    ),
    (
        "support",
        "helpdesk",
        "emi@shop.example",
        "UPDATE users SET role = 'manager' WHERE id = 1 OR name LIKE 'Ben%'",
    ),
    ("support", "helpdesk", "emi@shop.example", "DELETE FROM users WHERE id = 3"),
    (
        "storefront",
        "webshop",
        "",
        "UPDATE order_items SET quantity = 5 WHERE order_id = 1 AND product_id = 100",
    ),
    (
        "storefront",
        "webshop",
        "",
        "UPDATE customers SET address = address || '{\"city\": \"Rome\"}' WHERE customer_id = 4",
    ),
    (
        "warehouse",
        "stock-count",
        "dmitri@shop.example",
        "UPDATE products SET stock = stock - 3 WHERE product_id IN (100, 101, 102)",
    ),
    ("accounting", "month-end", "ben@shop.example", "DELETE FROM payments WHERE order_id = 7"),
    (
        "accounting",
        "month-end",
        "ben@shop.example",
        "UPDATE products SET price = round(price * 1.02, 2) WHERE 'kitchen' = ANY (tags)",
    ),
];

/// Creates and fills the shop unless it is there; whether it was created.
pub(super) async fn create_database(cluster: &Cluster) -> Result<bool, Error> {
    let admin = connect(&parse(&cluster.url("postgres"))).await?;
    let query = "SELECT FROM pg_database WHERE datname = $1";
    if admin.query_opt(query, &[&NAME]).await.map_err(Error::Shop)?.is_some() {
        return Ok(false);
    }
    admin.batch_execute(&format!("CREATE DATABASE {NAME}")).await.map_err(Error::Shop)?;
    let mut shop = connect(&parse(&cluster.url(NAME))).await?;
    shop.batch_execute(SCRIPT).await.map_err(Error::Shop)?;
    pgtrack_tracker::install(&mut shop).await.map_err(Error::Tracker)?;
    pgtrack_tracker::track_schema(&shop, SCHEMA).await.map_err(Error::Tracker)?;
    let reach = Reach { read: Vec::new(), undo_as: vec![OWNER.to_owned()] };
    service::grant(&shop, SERVICE, &reach).await.map_err(Error::Tracker)?;
    Ok(true)
}

/// Lets the morning happen, through the proxy.
pub(super) async fn open(proxy: SocketAddr) -> Result<(), Error> {
    for (role, application, actor, change) in MORNING {
        let mut config = parse(&url(proxy));
        let client = connect(config.user(role).application_name(application)).await?;
        client.execute("SELECT pgtrack.set_actor($1)", &[&actor]).await.map_err(Error::Shop)?;
        client.batch_execute(change).await.map_err(Error::Shop)?;
    }
    Ok(())
}

/// How pgtrack itself connects to the shop: as on a server of your own, not as its superuser.
pub(super) fn database(cluster: &Cluster) -> Config {
    let mut config = parse(&cluster.url(NAME));
    config.user(SERVICE);
    config
}

/// How people and applications connect to the shop.
pub(super) fn url(proxy: SocketAddr) -> String {
    format!("postgresql://postgres@{proxy}/{NAME}")
}

/// Connects; the connection runs in the background and ends with the client.
pub(super) async fn connect(config: &Config) -> Result<Client, Error> {
    let (client, connection) = config.connect(NoTls).await.map_err(Error::Shop)?;
    tokio::spawn(connection);
    Ok(client)
}

pub(super) fn parse(url: &str) -> Config {
    url.parse().expect("our own URLs are valid")
}
