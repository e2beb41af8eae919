//! The dashboard in a real browser, with JavaScript: a change appears without reloading, and is undone.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::program::Demo;

/// A headless Chromium, driven by chromedriver; both end when it is dropped.
struct Browser {
    driver: Child,
    client: Client,
    profile: std::path::PathBuf,
}

impl Browser {
    async fn start() -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let profile = std::env::temp_dir().join(format!("pgtrack-browser-{}", std::process::id()));
        let driver = Command::new("chromedriver")
            .arg(format!("--port={port}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--window-size=1440,900",
            &format!("--user-data-dir={}", profile.display()),
        ];
        let options = json!({ "goog:chromeOptions": { "args": arguments } });
        let Value::Object(capabilities) = options else { unreachable!() };
        let mut attempts = 0;
        let client = loop {
            let mut builder = ClientBuilder::new(HttpConnector::new());
            builder.capabilities(capabilities.clone());
            match builder.connect(&format!("http://127.0.0.1:{port}")).await {
                Ok(client) => break client,
                Err(error) if attempts > 100 => panic!("{error}"),
                Err(_) => attempts += 1,
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        };
        Self { driver, client, profile }
    }

    async fn click(&self, css: &str) {
        self.client.wait().for_element(Locator::Css(css)).await.unwrap().click().await.unwrap();
    }

    async fn follow(&self, text: &str) {
        self.client
            .wait()
            .for_element(Locator::LinkText(text))
            .await
            .unwrap()
            .click()
            .await
            .unwrap();
    }

    async fn text(&self, css: &str) -> String {
        self.client.wait().for_element(Locator::Css(css)).await.unwrap().text().await.unwrap()
    }

    async fn script(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// Saves what is on screen, in both themes, for people to look at.
    async fn picture(&self, name: &str) {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        fs::create_dir_all(&directory).unwrap();
        for theme in ["light", "dark"] {
            self.script(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
            fs::write(
                directory.join(format!("{name}-{theme}.png")),
                self.client.screenshot().await.unwrap(),
            )
            .unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // An error means that it has ended.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        let _ = fs::remove_dir_all(&self.profile);
    }
}

#[test]
fn a_change_appears_without_reloading_and_is_undone() {
    let demo = Demo::start(&["--no-traffic"]);
    pgtrack_testkit::block_on(async {
        let browser = Browser::start().await;
        let client = &browser.client;
        client.goto(&demo.dashboard).await.unwrap();
        client.find(Locator::Css("[name=name]")).await.unwrap().send_keys("admin").await.unwrap();
        client
            .find(Locator::Css("[name=password]"))
            .await
            .unwrap()
            .send_keys(&demo.password)
            .await
            .unwrap();
        browser.click("button.primary").await;
        assert_eq!(browser.text("h1").await, "Overview");

        // This mark is gone if the page is loaded again.
        browser.script("window.notReloaded = true").await;
        let before = client.find_all(Locator::Css("li.entry")).await.unwrap().len();
        demo.psql("UPDATE products SET price = 0 WHERE product_id < 104");
        let xid = demo.psql("SELECT xid FROM pgtrack.log(1)");
        let item = browser.text(&format!("li.entry[data-xid='{xid}']")).await;
        assert!(
            item.contains('4') && item.contains("demo.products") && item.contains("psql"),
            "{item}"
        );
        assert_eq!(client.find_all(Locator::Css("li.entry")).await.unwrap().len(), before + 1);
        assert_eq!(browser.script("return window.notReloaded").await, Value::Bool(true));
        browser.picture("overview").await;

        browser.click(&format!("li.entry[data-xid='{xid}'] a.open")).await;
        browser.text("table").await;
        browser.picture("transaction").await;
        browser.follow("Undo transaction…").await;
        browser.text("[name=reason]").await;
        browser.picture("preview").await;
        assert_eq!(demo.psql("SELECT count(*) FROM products WHERE price = 0"), "4");
        client
            .find(Locator::Css("[name=reason]"))
            .await
            .unwrap()
            .send_keys("a wrong price list")
            .await
            .unwrap();
        browser.click("button.primary").await;
        browser.text(&format!("a[href$='/tx/{xid}']")).await;
        browser.picture("result").await;

        assert_eq!(demo.psql("SELECT count(*) FROM products WHERE price = 0"), "0");
        assert_eq!(
            demo.psql("SELECT who, application, message, reverts FROM pgtrack.activity ORDER BY xid DESC LIMIT 1"),
            format!("admin|pgtrack-dashboard|a wrong price list|xid:{xid}")
        );
        client.clone().close().await.unwrap();
    });
}
