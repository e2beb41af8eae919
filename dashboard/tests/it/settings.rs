//! What people choose about how things look.

use pgtrack_dashboard::Role;

use crate::support::on_site;

#[test]
fn times_are_shown_in_the_chosen_zone() {
    on_site(async |site| {
        site.run("UPDATE shop.users SET points = 0").await;
        let mut browser = site.signed_in(Role::Viewer).await;
        assert!(browser.get("/c/shop").await.text(".entry .zone").contains("UTC"));
        let fields = [
            ("theme", "dark"),
            ("zone", "asia/tokyo"),
            ("density", "compact"),
            ("diff", "inline"),
            ("shortcuts", "off"),
        ];
        let saved = browser.post("/settings", &fields).await;
        let page = browser.redirect(&saved).await;
        assert!(page.text("[role=status]").contains("Saved"));
        assert_eq!(page.attribute("input[name=zone]", "value"), "Asia/Tokyo");
        assert_eq!(page.attribute("html", "data-theme"), "dark");
        let page = browser.get("/c/shop").await;
        assert_eq!(page.text(".entry .zone"), "JST");
        assert!(page.has("body.compact") && !page.has("body[data-shortcuts]"));
        let xid = page.attribute(".entry", "data-xid");
        assert!(browser.get(&format!("/c/shop/tx/{xid}")).await.has(".diff.inline"));
    });
}

#[test]
fn nonsense_is_refused() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        let good = [
            ("theme", "dark"),
            ("zone", "UTC"),
            ("density", "compact"),
            ("diff", "inline"),
            ("shortcuts", "off"),
        ];
        for (index, (name, _)) in good.into_iter().enumerate() {
            let mut fields = good;
            fields[index].1 = "x; Path=/evil";
            let page = browser.post("/settings", &fields).await;
            assert_eq!(page.status, 400, "{name}");
            assert!(!page.headers.contains_key("set-cookie"), "{name}");
        }
    });
}
