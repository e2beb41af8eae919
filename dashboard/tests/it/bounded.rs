//! However long the texts are that were recorded, pages and files are not.

use pgtrack_dashboard::Role;

use crate::support::on_site;

#[test]
fn long_texts_do_not_make_long_pages() {
    on_site(async |site| {
        let mut xid = 0;
        for points in 0..30 {
            xid = site.run(&format!("UPDATE shop.users SET points = {points}")).await;
        }
        site.run("DELETE FROM shop.order_items").await;
        let long = "UPDATE pgtrack.statement SET message = repeat('m', 20000000), actor = repeat('a', 200000),
                      query = repeat('q', 200000)";
        site.client().await.batch_execute(long).await.unwrap();
        let id = site.value("SELECT max(statement_id)::text FROM pgtrack.statement").await;
        let mut browser = site.signed_in(Role::Operator).await;
        for url in [
            "/c/shop",
            "/c/shop/changes",
            "/c/shop/changes?view=transactions",
            "/c/shop/changes.csv",
            "/c/shop/changes.jsonl",
            &format!("/c/shop/tx/{xid}"),
            &format!("/c/shop/changes/{id}"),
            "/c/shop/tables/shop.users",
            "/c/shop/tables/shop.order_items/deleted",
            "/c/shop/tables/shop.users/rows/%7B%22id%22:1%7D",
            &format!("/c/shop/revert/plan?act=undo-transaction&xid={xid}"),
        ] {
            let page = browser.get(url).await;
            assert_eq!(page.status, 200, "{url}");
            assert!(page.html.len() < 1_500_000, "{url}: {} bytes", page.html.len());
        }
    });
}
