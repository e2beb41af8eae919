//! pgbench through the proxy, on tracked tables.

use std::process::Command;

use crate::program::{Demo, client_program};

#[test]
fn pgbench_runs_in_every_protocol_mode_and_everything_is_recorded() {
    let demo = Demo::start(&["--no-traffic"]);
    let pgbench = |arguments: &[&str]| {
        let output = Command::new(client_program("pgbench"))
            .args(arguments)
            .arg(&demo.proxy)
            .output()
            .unwrap();
        let report = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(output.status.success(), "{arguments:?}\n{report}");
        report
    };
    pgbench(&["-i", "-q", "-s", "1"]);
    // The schema is tracked, so the tables are from their creation on. Their rows were inserted before they had keys.
    demo.psql("SELECT count(*) FROM pgtrack.track('demo')");
    let before = demo.psql("SELECT coalesce(max(statement_id), 0) FROM pgtrack.activity");
    let mut transactions = 0;
    for mode in ["simple", "extended", "prepared"] {
        let report = pgbench(&["-c", "8", "-T", "10", "-M", mode, "--no-vacuum"]);
        assert!(report.contains("number of failed transactions: 0"), "{report}");
        let count = report
            .lines()
            .find_map(|line| line.strip_prefix("number of transactions actually processed: "));
        transactions += count.unwrap().parse::<u64>().unwrap();
    }
    // TPC-B updates three tables and inserts into a fourth, which has no key.
    let recorded = demo.psql(&format!("SELECT count(*), count(DISTINCT xid) FROM pgtrack.activity WHERE table_name LIKE 'demo.pgbench%' AND statement_id > {before}"));
    assert_eq!(recorded, format!("{}|{transactions}", transactions * 4));
}
