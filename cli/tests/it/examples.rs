//! Every program in `examples/` does what it says, through the proxy.

use std::path::{Path, PathBuf};
use std::process::Command;

use pgtrack_testkit::on_each_version;

use crate::operating::service;
use crate::program::{client_program, psql};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What `scripts/drivers` has installed.
fn driver(path: &str) -> PathBuf {
    let installed = root().join("target/drivers").join(path);
    assert!(installed.exists(), "the drivers are not installed; run scripts/drivers");
    installed
}

/// What the program prints, which must succeed.
#[track_caller]
fn output(program: &Path, argument: &str, url: &str) -> String {
    let pgtrack = Path::new(env!("CARGO_BIN_EXE_pgtrack")).parent().unwrap();
    let path = std::env::var("PATH").unwrap();
    let output = Command::new(program)
        .arg(argument)
        .current_dir(root())
        .env("DATABASE_URL", url)
        .env("NODE_PATH", driver("node/node_modules"))
        .env("PATH", format!("{}:{path}", pgtrack.display()))
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

#[test]
fn every_example_works() {
    on_each_version(async |database| {
        let service = service(&database);
        let url = service.url(database.name());
        let file = |name: &str| format!("--file=examples/{name}");
        let shop = Command::new(client_program("psql"))
            .args(["-Xq", &url, &file("shop.sql")])
            .current_dir(root())
            .output()
            .unwrap();
        assert!(shop.status.success(), "{}", String::from_utf8_lossy(&shop.stderr));
        let orders = output(&driver("python/bin/python"), "examples/orders.py", &url);
        assert_eq!(orders, "2 orders were taken\n");
        assert_eq!(
            output(Path::new("node"), "examples/prices.cjs", &url),
            "3 prices were changed\n"
        );
        assert_eq!(psql(&url, "SELECT DISTINCT price FROM example.product"), "35.00");

        let mistake = output(Path::new("sh"), "examples/mistake.sh", &url);
        assert!(mistake.contains("linus"), "{mistake}");
        assert!(mistake.contains("lamps are cheaper now"), "{mistake}");
        let prices =
            "SELECT string_agg(sku || ' ' || price, ', ' ORDER BY sku) FROM example.product";
        assert_eq!(psql(&url, prices), "chair 120.00, desk 300.00, lamp 40.00");
        // The person and the route came with the statements, the program and the address from the session.
        let orders = "SELECT DISTINCT actor, application, tags ->> 'route' FROM pgtrack.activity
                      WHERE table_name = 'example.item' ORDER BY 1";
        assert_eq!(psql(&url, orders), "ada|web shop|/orders\ngrace|web shop|/orders");
    });
}
