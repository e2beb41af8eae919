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

#[test]
fn numbers_and_dates_are_written_as_chosen_and_files_are_not() {
    on_site(async |site| {
        let many = "INSERT INTO shop.users SELECT i, 'x', 0 FROM generate_series(1001, 2234) i";
        site.run(many).await;
        let mut browser = site.signed_in(Role::Operator).await;
        let usual = browser.get("/c/shop").await;
        assert!(usual.text(".entry .effects").contains("1,234 inserted"));
        let day = usual.text(".entry .date");
        let [year, month, date] = *day.split('-').collect::<Vec<_>>() else { panic!("{day}") };
        let files = ["/c/shop/changes.csv", "/c/shop/changes.jsonl"];
        let mut before = Vec::new();
        for file in files {
            before.push(browser.get(file).await.html);
        }
        for (numbers, dates, number, expected) in [
            ("point", "day-first", "1.234 inserted", format!("{date}.{month}.{year}")),
            ("space", "month-first", "1\u{202f}234 inserted", format!("{month}/{date}/{year}")),
        ] {
            let fields = [
                ("theme", "dark"),
                ("zone", "UTC"),
                ("numbers", numbers),
                ("dates", dates),
                ("density", "compact"),
                ("diff", "inline"),
                ("shortcuts", "off"),
            ];
            let saved = browser.post("/settings", &fields).await;
            let page = browser.redirect(&saved).await;
            assert!(page.has(&format!("input[name=numbers][value={numbers}][checked]")));
            assert!(page.has(&format!("input[name=dates][value={dates}][checked]")));
            let page = browser.get("/c/shop").await;
            assert!(page.html.contains(number), "{}", page.text(".entry .effects"));
            assert_eq!(page.text(".entry .date"), expected);
            assert!(page.attribute(".entry time", "datetime").starts_with(&day));
            for (file, before) in files.iter().zip(&before) {
                assert_eq!(browser.get(file).await.html, *before, "{file}");
            }
        }
    });
}

#[test]
fn unknown_ways_to_write_are_refused() {
    on_site(async |site| {
        let mut browser = site.signed_in(Role::Viewer).await;
        for (name, value) in [("numbers", "roman"), ("dates", "x; Path=/evil"), ("language", "xx")]
        {
            let fields = [
                ("theme", "dark"),
                ("zone", "UTC"),
                ("density", "compact"),
                ("diff", "inline"),
                ("shortcuts", "off"),
                (name, value),
            ];
            let page = browser.post("/settings", &fields).await;
            assert_eq!(page.status, 400, "{name}");
            assert!(!page.headers.contains_key("set-cookie"), "{name}");
        }
        assert!(!browser.get("/settings").await.has("input[name=language]"), "there is one");
    });
}
