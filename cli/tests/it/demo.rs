//! `pgtrack demo`: what a newcomer tries first.

use std::path::Path;

use crate::program::Demo;

#[test]
fn a_wrong_update_is_found_in_the_log_and_undone() {
    let demo = Demo::start(&["--no-traffic"]);
    demo.psql("UPDATE products SET price = 0 WHERE product_id < 105");
    let found = demo
        .psql("SELECT who, application, client_addr, tables, row_count, query FROM pgtrack.log(1)");
    assert_eq!(
        found,
        "postgres|psql|127.0.0.1|{demo.products}|5|UPDATE products SET price = 0 WHERE product_id < 105"
    );
    let undone = demo.psql("SELECT * FROM pgtrack.undo_last()");
    assert_eq!(undone, "demo.products|0|5|0|0");
    assert_eq!(demo.psql("SELECT count(*) FROM products WHERE price = 0"), "0");
    assert_eq!(
        demo.psql("SELECT through_proxy FROM pgtrack.activity ORDER BY xid DESC LIMIT 1"),
        "t"
    );
}

#[test]
fn one_row_is_undone_and_a_deleted_one_restored() {
    let demo = Demo::start(&["--no-traffic"]);
    demo.psql("UPDATE customers SET email = 'wrong@mail.example' WHERE customer_id = 3");
    assert_eq!(
        demo.psql("SELECT pgtrack.undo('customers', 3)"),
        "demo.customers (customer_id=3): row updated: email, now as before its first recorded change"
    );
    assert_eq!(
        demo.psql("SELECT email FROM customers WHERE customer_id = 3"),
        "carmen.novak@mail.example"
    );
    demo.psql("DELETE FROM payments WHERE order_id = 5");
    let key = demo.psql("SELECT row_pk ->> 'payment_id' FROM pgtrack.deleted('payments', 1)");
    demo.psql(&format!("SELECT pgtrack.restore('payments', '{key}')"));
    assert_eq!(
        demo.psql(&format!("SELECT order_id FROM payments WHERE payment_id = '{key}'")),
        "5"
    );
}

#[test]
fn the_seeds_scenarios_work_with_every_kind_of_key() {
    let demo = Demo::start(&["--no-traffic"]);
    let history = demo.psql("SELECT ver, op, who, what, application, client_addr, query FROM pgtrack.history('users', 1, 'demo')");
    assert_eq!(
        history.lines().next().unwrap(),
        "1|UPDATE|emi@shop.example|{email}|helpdesk|127.0.0.1|UPDATE users SET email = 'ada.moreau@shop.example' WHERE id = 1"
    );
    assert_eq!(
        demo.psql(
            r#"SELECT pgtrack.undo_pk('order_items', '{"order_id": 1, "product_id": 100}', 'demo')"#
        ),
        "demo.order_items (order_id=1, product_id=100): row updated: quantity, now as before its first recorded change"
    );
    assert_eq!(
        demo.psql("SELECT row_pk, who, data ->> 'name' FROM pgtrack.deleted('users', 10, 'demo')"),
        r#"{"id": 3}|emi@shop.example|Chiara Rossi"#
    );
}

#[test]
fn applications_work_in_the_shop_and_are_told_apart() {
    let demo = Demo::start(&[]);
    let application = "SELECT count(*) FROM pgtrack.log(100) WHERE application = 'webshop' AND who = 'storefront'";
    let before: u32 = demo.psql(application).parse().unwrap();
    let mut now = before;
    while now == before {
        std::thread::sleep(std::time::Duration::from_millis(200));
        now = demo.psql(application).parse().unwrap();
    }
    let mistake = demo.psql("SELECT count(*) FROM pgtrack.activity WHERE client_addr IS DISTINCT FROM '127.0.0.1' OR NOT through_proxy");
    assert_eq!(mistake, "0");
}

#[test]
fn ctrl_c_stops_everything_and_leaves_nothing_behind_and_so_does_a_kill() {
    for signal in ["INT", "TERM", "KILL"] {
        let mut demo = Demo::start(&["--no-traffic"]);
        let directory = demo.psql("SHOW unix_socket_directories");
        assert!(Path::new(&directory).exists());
        demo.signal(signal);
        assert_eq!(demo.wait(), signal != "KILL", "{signal}");
        // After a kill, the server's keeper needs a moment.
        for _ in 0..100 {
            if signal != "KILL" || !Path::new(&directory).exists() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert!(!Path::new(&directory).exists(), "{signal}: {directory} is still there");
        let left = std::process::Command::new("pgrep").args(["-f", &directory]).output().unwrap();
        assert!(left.stdout.is_empty(), "{signal}: {}", String::from_utf8_lossy(&left.stdout));
    }
}

#[test]
fn a_kept_data_directory_is_found_again() {
    let directory = std::env::temp_dir().join(format!("pgtrack-kept-{}", std::process::id()));
    let arguments = ["--no-traffic", "--data-dir", directory.to_str().unwrap()];
    let mut demo = Demo::start(&arguments);
    demo.psql("UPDATE products SET stock = 7 WHERE product_id = 100");
    demo.signal("INT");
    assert!(demo.wait());
    let demo = Demo::start(&arguments);
    assert_eq!(demo.psql("SELECT stock FROM products WHERE product_id = 100"), "7");
    assert_eq!(
        demo.psql("SELECT query FROM pgtrack.log(1)"),
        "UPDATE products SET stock = 7 WHERE product_id = 100"
    );
    drop(demo);
    std::thread::sleep(std::time::Duration::from_secs(1));
    std::fs::remove_dir_all(directory).unwrap();
}
