//! The live feed: every transaction once, whatever happens to the stream.

use std::time::{Duration, Instant};

use pgtrack_dashboard::Role;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::support::{Browser, PASSWORD, on_site, run, start};

/// Where the overview's feed begins.
async fn cursor(browser: &mut Browser) -> String {
    browser.get("/c/shop").await.attribute("#feed", "data-cursor")
}

fn xids(list: &[(i64, String)]) -> Vec<i64> {
    list.iter().map(|(xid, _)| *xid).collect()
}

#[test]
fn a_committed_change_arrives() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = cursor(&mut browser).await;
        // Between the page and the stream, and while it is open.
        let before = site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        let mut stream = browser.listen(&cursor, None).await;
        assert_eq!(stream.status, 200);
        assert_eq!(stream.headers["content-type"], "text/event-stream");
        assert_eq!(stream.headers["cache-control"], "no-store");
        assert_eq!(stream.headers["x-accel-buffering"], "no");
        assert!(stream.headers.contains_key("content-security-policy"));
        assert_eq!(xids(&stream.transactions(1).await), [before]);

        let start = Instant::now();
        let after = site.run("DELETE FROM shop.users WHERE id = 3").await;
        let event = stream.next().await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
        assert_eq!((event.name.as_str(), event.xid()), ("transaction", after));
        assert!(event.data.starts_with("<li class=\"entry\""), "{}", event.data);
        assert!(stream.is_quiet().await, "nothing comes twice");
    });
}

#[test]
fn a_stream_that_was_cut_off_goes_on_exactly() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = cursor(&mut browser).await;
        let client = site.client().await;
        let mut made = Vec::new();
        for points in 0..5 {
            made.push(
                run(&client, &format!("UPDATE shop.users SET points = {points} WHERE id = 1"))
                    .await,
            );
        }
        // All of them come in one batch, and yet one can go on after each.
        let list = browser.listen(&cursor, None).await.transactions(5).await;
        assert_eq!(xids(&list), made);
        for (index, (_, id)) in list.iter().enumerate() {
            let mut resumed = browser.listen("1:1:", Some(id)).await;
            let rest = resumed.transactions(4 - index).await;
            assert_eq!(xids(&rest), made[index + 1..], "after {id}");
        }
        let mut resumed = browser.listen("1:1:", Some(&list[4].1)).await;
        assert!(resumed.is_quiet().await);
    });
}

#[test]
fn a_transaction_that_commits_late_is_not_missed() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = cursor(&mut browser).await;
        let mut stream = browser.listen(&cursor, None).await;
        let slow = site.client().await;
        slow.batch_execute("BEGIN; UPDATE shop.users SET points = 1 WHERE id = 1").await.unwrap();
        let row = slow.query_one("SELECT pg_current_xact_id()::text", &[]).await.unwrap();
        let late: i64 = row.get::<_, String>(0).parse().unwrap();
        let early = site.run("UPDATE shop.users SET points = 2 WHERE id = 2").await;
        assert!(late < early);

        let first = stream.transactions(1).await;
        assert_eq!(xids(&first), [early]);
        let resume = first[0].1.clone();
        slow.batch_execute("COMMIT").await.unwrap();
        assert_eq!(xids(&stream.transactions(1).await), [late]);
        assert!(stream.is_quiet().await);
        // A browser that was away in between gets it, too, and only it.
        let mut resumed = browser.listen("1:1:", Some(&resume)).await;
        assert_eq!(xids(&resumed.transactions(1).await), [late]);
        assert!(resumed.is_quiet().await);
    });
}

#[test]
fn listeners_that_join_at_different_times_get_the_same() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = cursor(&mut browser).await;
        let client = site.client().await;
        let writer = async {
            let mut made = Vec::new();
            for points in 0..60 {
                let update = format!("UPDATE shop.users SET points = {points} WHERE id = 1");
                made.push(run(&client, &update).await);
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
            made
        };
        let listener = async |delay| {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            xids(&browser.listen(&cursor, None).await.transactions(60).await)
        };
        let (made, first, second, third) =
            tokio::join!(writer, listener(0), listener(430), listener(1130));
        assert_eq!(first, made);
        assert_eq!(second, made);
        assert_eq!(third, made);
    });
}

#[test]
fn too_much_at_once_asks_for_a_reload() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = cursor(&mut browser).await;
        let many = "DO $$ BEGIN FOR i IN 1..501 LOOP
                      UPDATE shop.users SET points = i WHERE id = 1; COMMIT;
                    END LOOP; END $$";
        site.client().await.batch_execute(many).await.unwrap();
        let mut stream = browser.listen(&cursor, None).await;
        assert_eq!(stream.next().await.unwrap().name, "resync");
    });
}

#[test]
fn a_stream_ends_when_the_person_signs_out() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = cursor(&mut browser).await;
        let mut stream = browser.listen(&cursor, None).await;
        browser.post("/logout", &[]).await;
        assert!(stream.ended().await);
    });
}

#[test]
fn nobody_takes_all_streams() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = cursor(&mut browser).await;
        let mut open = Vec::new();
        for _ in 0..3 {
            open.push(browser.listen(&cursor, None).await);
        }
        assert!(open.iter().all(|stream| stream.status == 200));
        assert_eq!(browser.listen(&cursor, None).await.status, 429);
        let other = site.signed_in(Role::Operator).await;
        assert_eq!(other.listen(&cursor, None).await.status, 200);
        open.pop();
        assert_eq!(browser.listen(&cursor, None).await.status, 200, "a place is free again");
    });
}

#[test]
fn a_place_that_is_none_is_refused() {
    on_site(async |site| {
        let browser = site.signed_in(Role::Viewer).await;
        for place in ["", "x", "5:4:", "1:2:'"] {
            assert_eq!(browser.listen(place, None).await.status, 400, "{place:?}");
        }
    });
}

#[test]
fn the_server_stops_at_once_with_open_streams() {
    on_site(async |site| {
        let dashboard = start(&site.database.url(), false).await;
        dashboard.set_admin("ada", PASSWORD).await.unwrap();
        let mut browser = Browser::new(dashboard.state());
        browser.log_in("ada").await;
        let cursor = cursor(&mut browser).await;
        let address = dashboard.local_address();
        let shutdown = CancellationToken::new();
        let server = tokio::spawn(dashboard.run(shutdown.clone()));

        let mut connection = TcpStream::connect(address).await.unwrap();
        let request = format!(
            "GET /c/shop/changes/live?after={cursor} HTTP/1.1\r\nHost: {address}\r\n\
             Accept: text/event-stream\r\nCookie: pgtrack={}\r\n\r\n",
            browser.cookies["pgtrack"]
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = vec![0; 4096];
        let length = connection.read(&mut answer).await.unwrap();
        assert!(answer[..length].starts_with(b"HTTP/1.1 200 OK"));

        let start = Instant::now();
        shutdown.cancel();
        server.await.unwrap();
        assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    });
}

#[test]
fn nobody_is_asked_while_nobody_listens() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let cursor = cursor(&mut browser).await;
        let busy = "SELECT (count(*) > 0)::text FROM pg_stat_activity
                    WHERE datname = current_database() AND query LIKE '%pg_snapshot_xip%'
                      AND pid <> pg_backend_pid() AND query_start > now() - interval '600 milliseconds'";
        let stream = browser.listen(&cursor, None).await;
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(site.value(busy).await, "true");
        drop(stream);
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(site.value(busy).await, "false");
        // And again for the next listener.
        let mut stream = browser.listen(&cursor, None).await;
        let made = site.run("UPDATE shop.users SET points = 1 WHERE id = 1").await;
        assert_eq!(xids(&stream.transactions(1).await), [made]);
    });
}
