//! Storage and health.

use std::time::Duration;

use pgtrack_dashboard::Role;

use crate::support::on_site;

#[test]
fn old_history_is_purged_after_a_preview() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 0").await;
        let age = "UPDATE pgtrack.statement SET at = at - interval '100 days'; UPDATE pgtrack.relation SET tracked_since = tracked_since - interval '200 days'; UPDATE pgtrack.epoch SET began_at = began_at - interval '200 days'";
        site.client().await.batch_execute(age).await.unwrap();
        // What a kept statement's snapshot saw running is kept: wait for what other tests run.
        let running = "SELECT bool_or(xid >= pg_snapshot_xmin(pg_current_snapshot()))::text FROM pgtrack.statement";
        while site.value(running).await == "true" {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        site.run("UPDATE shop.users SET points = 1").await;
        let mut admin = site.signed_in(Role::Admin).await;
        let page = admin.get("/c/shop/storage").await;
        assert_eq!(page.texts("tbody th").len(), 4);
        let preview = admin.get("/c/shop/storage?keep=90").await;
        assert!(
            preview.text(".lead").contains("This would remove 3 changes"),
            "{}",
            preview.text("main")
        );
        assert_eq!(site.value("SELECT count(*)::text FROM pgtrack.statement").await, "2");
        let done = admin.submit(&preview, "form[action$=purge]", &[]).await;
        assert_eq!(done.status, 303, "{}", done.text("main"));
        assert_eq!(site.value("SELECT count(*)::text FROM pgtrack.statement").await, "1");
        assert!(
            admin.get("/c/shop/storage?keep=90").await.text("main").contains("nothing that old")
        );
        for bad in ["0", "-1", "x", "99999999"] {
            assert_eq!(
                admin.get(&format!("/c/shop/storage?keep={bad}")).await.status,
                400,
                "{bad}"
            );
        }
        let audit = "SELECT action || ': ' || subject FROM pgtrack_dashboard.audit ORDER BY audit_id DESC LIMIT 1";
        assert_eq!(site.value(audit).await, "history purged: 3 changes older than 90 days");
        let mut operator = site.signed_in(Role::Operator).await;
        assert!(!operator.get("/c/shop/storage?keep=90").await.has("form[action$=purge]"));
        assert_eq!(operator.post("/c/shop/storage/purge", &[("keep", "1")]).await.status, 403);
    });
}

#[test]
fn health_tells_what_is_not_recorded() {
    on_site(async |site| {
        let mut admin = site.signed_in(Role::Admin).await;
        let page = admin.get("/c/shop/health").await;
        assert!(page.text(".notice.good").contains("Every change"), "{}", page.text("main"));
        assert!(page.text("section[aria-labelledby=keyless]").contains("shop.visits"));
        assert_eq!(
            page.texts("section[aria-labelledby=untracked] th[scope=row]"),
            ["shop.untracked"]
        );
        let tracked = admin.submit(&page, "section[aria-labelledby=untracked] form", &[]).await;
        assert_eq!(tracked.status, 303, "{}", tracked.text("main"));
        site.run("INSERT INTO shop.untracked VALUES (1)").await;
        site.client()
            .await
            .batch_execute("ALTER TABLE shop.users DISABLE TRIGGER ALL")
            .await
            .unwrap();
        let page = admin.get("/c/shop/health").await;
        assert!(page.text("section[aria-labelledby=untracked]").contains("Every table is tracked"));
        assert!(
            page.text(".findings").contains("shop.users : the trigger"),
            "{}",
            page.text(".findings")
        );
        let viewer = site.signed_in(Role::Viewer).await.get("/c/shop/health").await;
        assert!(!viewer.has("main form"));
    });
}

#[test]
fn an_admin_is_told_of_rights_that_are_not_needed() {
    on_site(async |site| {
        let page = site.signed_in(Role::Admin).await.get("/c/shop/health").await;
        let text = page.text("section[aria-labelledby=rights]");
        assert!(text.contains("role postgres, which is a superuser"), "{text}");
        assert!(text.contains("pgtrack install --service-role NAME"), "{text}");
        let page = site.signed_in(Role::Viewer).await.get("/c/shop/health").await;
        assert!(!page.has("#rights"));
    });
}
