//! The theme is the server's business: the page comes in its colours.

use crate::support::on_site;

#[test]
fn the_chosen_theme_is_in_the_page() {
    on_site(async |site| {
        let mut browser = site.browser();
        let page = browser.get("/login").await;
        assert_eq!(page.attribute("html", "data-theme"), "auto");
        for theme in ["dark", "light", "auto"] {
            let page = browser.submit(&page, "form.theme", &[("theme", theme)]).await;
            assert_eq!(page.location(), "/login");
            let page = browser.redirect(&page).await;
            assert_eq!(page.attribute("html", "data-theme"), theme);
            assert_eq!(page.texts("form.theme [aria-pressed=true]").len(), 1);
        }
    });
}

#[test]
fn nonsense_is_not_kept() {
    on_site(async |site| {
        let mut browser = site.browser();
        let page = browser.post("/settings/theme", &[("theme", "x; evil"), ("next", "/")]).await;
        assert_eq!(page.status, 400);
        let page =
            browser.post("/settings/theme", &[("theme", "dark"), ("next", "//evil.test")]).await;
        assert_eq!(page.location(), "/");
        browser.cookies.insert("pgtrack-theme".to_owned(), "\"><script>".to_owned());
        let page = browser.get("/login").await;
        assert_eq!(page.attribute("html", "data-theme"), "auto");
    });
}
