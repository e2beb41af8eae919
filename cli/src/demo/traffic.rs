//! A gentle stream of changes by several applications, so that there is something to watch.

use std::net::SocketAddr;
use std::time::Duration;

use tokio_postgres::Client;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::debug;

use super::shop;
use crate::error::Error;

/// One application: who it connects as, what it calls itself, how often it does something, and what, in turn.
struct Application {
    role: &'static str,
    name: &'static str,
    pause: Duration,
    changes: &'static [&'static str],
}

const APPLICATIONS: [Application; 4] = [
    Application {
        role: "storefront",
        name: "webshop",
        pause: Duration::from_millis(3500),
        changes: &[
            "WITH bought AS (SELECT product_id, price FROM products WHERE stock > 5 ORDER BY random() LIMIT 2),
                  placed AS (INSERT INTO orders (customer_id) SELECT customer_id FROM customers ORDER BY random() LIMIT 1 RETURNING order_id)
             INSERT INTO order_items (order_id, product_id, quantity, unit_price)
             SELECT order_id, product_id, 1 + floor(random() * 3)::int, price FROM placed, bought",
            "UPDATE products p SET stock = stock - i.quantity FROM order_items i
             WHERE i.product_id = p.product_id AND i.order_id = (SELECT max(order_id) FROM orders) AND p.stock >= i.quantity",
        ],
    },
    Application {
        role: "accounting",
        name: "billing",
        pause: Duration::from_millis(7300),
        changes: &[
            "INSERT INTO payments (order_id, amount)
             SELECT order_id, sum(quantity * unit_price) FROM order_items
             WHERE order_id = (SELECT max(order_id) FROM orders) GROUP BY order_id",
            "UPDATE orders SET status = 'paid' WHERE status = 'new' AND order_id IN (SELECT order_id FROM payments)",
        ],
    },
    Application {
        role: "warehouse",
        name: "picking",
        pause: Duration::from_millis(9100),
        changes: &[
            "UPDATE orders SET status = 'shipped' WHERE order_id = (SELECT min(order_id) FROM orders WHERE status = 'paid')",
            "UPDATE products SET stock = stock + 20 WHERE product_id = (SELECT product_id FROM products ORDER BY stock LIMIT 1)",
        ],
    },
    Application {
        role: "support",
        name: "helpdesk",
        pause: Duration::from_millis(12_700),
        changes: &[
            "UPDATE customers SET address = jsonb_set(address, '{street}', to_jsonb(format('%s Elm Street', 1 + floor(random() * 99)::int)))
             WHERE customer_id = 1 + floor(random() * 12)::int",
        ],
    },
];

/// Starts the applications; each ends when the program is asked to.
pub(super) fn start(proxy: SocketAddr, tasks: &TaskTracker, shutdown: &CancellationToken) {
    for application in &APPLICATIONS {
        let shutdown = shutdown.clone();
        tasks.spawn(async move {
            shutdown.run_until_cancelled(work(application, proxy)).await;
        });
    }
}

/// Connects and works, and connects again when something went wrong: somebody may be trying things out.
async fn work(application: &Application, proxy: SocketAddr) {
    loop {
        if let Err(error) = session(application, proxy).await {
            debug!("{}: {}", application.name, error.report());
        }
        tokio::time::sleep(application.pause).await;
    }
}

async fn session(application: &Application, proxy: SocketAddr) -> Result<(), Error> {
    let mut config = shop::parse(&shop::url(proxy));
    let client: Client =
        shop::connect(config.user(application.role).application_name(application.name)).await?;
    loop {
        for change in application.changes {
            tokio::time::sleep(application.pause).await;
            client.batch_execute(change).await.map_err(Error::Shop)?;
        }
    }
}
