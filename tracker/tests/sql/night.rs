//! Three in the morning: an UPDATE without its WHERE, on a table of ordinary size, while the shop goes on working.

use crate::support::{Session, on_newest_version};

/// Six columns, a trigger, a foreign key.
const SHOP: &str = "
    SET application_name = 'psql';
    CREATE TABLE customers (id int PRIMARY KEY, name text NOT NULL);
    CREATE TABLE orders (id int PRIMARY KEY, customer int NOT NULL REFERENCES customers, status text NOT NULL,
                         total numeric(10, 2) NOT NULL, note text, updated_at timestamptz NOT NULL DEFAULT now());
    CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.updated_at := now(); RETURN new; END $$;
    INSERT INTO customers SELECT n, 'customer ' || n FROM generate_series(1, 1000) n;
    INSERT INTO orders SELECT n, 1 + n % 1000, 'paid', n, 'order ' || n FROM generate_series(1, 200000) n;
    CREATE TRIGGER touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();
    SELECT pgtrack.track('customers'), pgtrack.track('orders')";

/// What the shop does all the time; returns how often it did.
async fn work(session: &Session, is_over: &std::sync::atomic::AtomicBool) -> u32 {
    let mut number = 0;
    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
        number += 1;
        session
            .run(&format!(
                "UPDATE orders SET note = 'call {number}' WHERE id = 1000 + {number} % 100;
                 INSERT INTO orders VALUES (200000 + {number}, 1, 'new', 1)"
            ))
            .await;
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    number
}

/// As psql does it: find it, look, undo it.
async fn repair(session: &Session) {
    session.run("UPDATE orders SET status = 'x'").await;
    let xid = session
        .rows("SELECT xid FROM pgtrack.activity WHERE row_count > 100000 ORDER BY xid DESC LIMIT 1")
        .await;
    // Somebody worked on some of them since.
    session
        .check(
            &format!(
                "SELECT \"table\", action, row_count >= 200000 FROM pgtrack.plan_outline('{{\"xid\": {xid}}}', 0)"
            ),
            "public.orders|update|t",
        )
        .await;
    session
        .check(
            &format!(
                "SELECT \"table\", updated >= 200000, skipped FROM pgtrack.undo_transaction({xid}, on_conflict => 'merge')"
            ),
            "public.orders|t|0",
        )
        .await;
    session.check("SELECT count(*) FROM orders WHERE status = 'x'", "0").await;

    // Once more, and without its number.
    session.run("UPDATE orders SET total = 0 WHERE id <= 200000").await;
    session.check("SELECT updated FROM pgtrack.undo_last(on_conflict => 'merge')", "200000").await;
    session.check("SELECT count(*) FROM orders WHERE total <> id AND id <= 200000", "0").await;
}

#[test]
fn a_mistake_of_all_rows_is_undone_while_others_write() {
    on_newest_version(async |session| {
        session.run(SHOP).await;
        let shop = session.another_with("-c application_name=shop").await;
        let is_over = std::sync::atomic::AtomicBool::new(false);
        let repair = async {
            repair(&session).await;
            is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        };
        let (worked, ()) = tokio::join!(work(&shop, &is_over), repair);
        assert!(worked > 0);
        // What the shop did meanwhile is there.
        session
            .check(
                "SELECT count(*) FROM orders WHERE note LIKE 'call %' OR status = 'new'",
                &(worked + worked.min(100)).to_string(),
            )
            .await;
    });
}
