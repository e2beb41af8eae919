//! A headless Chromium: what a person does with it, and what is checked of every page it shows.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::program::Demo;

const SIZES: [(u32, u32); 2] = [(1440, 900), (360, 740)];

/// Chromium, driven by chromedriver; both end when it is dropped.
pub(super) struct Browser {
    driver: Child,
    client: Client,
    profile: PathBuf,
    home: Mutex<String>,
}

impl Browser {
    pub(super) async fn start() -> Self {
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
            // What has just arrived is not still fading when it is looked at.
            "--force-prefers-reduced-motion",
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
        Self { driver, client, profile, home: Mutex::default() }
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    pub(super) async fn close(&self) {
        self.client.clone().close().await.unwrap();
    }

    pub(super) async fn goto_url(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    /// Opens a page of the dashboard that somebody has signed in to.
    pub(super) async fn goto(&self, path: &str) {
        let url = format!("{}{path}", self.home.lock().unwrap());
        self.goto_url(&url).await;
    }

    pub(super) async fn log_in(&self, demo: &Demo) {
        self.home.lock().unwrap().clone_from(&demo.dashboard);
        self.goto_url(&demo.dashboard).await;
        self.type_into("[name=name]", "admin").await;
        self.type_into("[name=password]", &demo.password).await;
        self.click("button.primary").await;
        self.text("nav.main").await;
    }

    pub(super) async fn click(&self, css: &str) {
        // The driver scrolls no further than to the edge, which the header covers.
        let to_the_middle =
            format!("document.querySelector({css:?}).scrollIntoView({{block: 'center'}})");
        self.with_element(Locator::Css(css), async |element| {
            self.client.execute(&to_the_middle, vec![]).await?;
            element.click().await
        })
        .await;
    }

    pub(super) async fn follow(&self, text: &str) {
        self.with_element(Locator::LinkText(text), async |link| link.click().await).await;
    }

    pub(super) async fn type_into(&self, css: &str, text: &str) {
        let field = self.client.wait().for_element(Locator::Css(css)).await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses keys wherever the focus is.
    pub(super) async fn press(&self, keys: &str) {
        let keys = keys.chars().fold(KeyActions::new("keyboard".to_owned()), |actions, value| {
            actions.then(KeyAction::Down { value }).then(KeyAction::Up { value })
        });
        self.client.perform_actions(keys).await.unwrap();
    }

    pub(super) async fn text(&self, css: &str) -> String {
        self.with_element(Locator::Css(css), async |element| element.text().await).await
    }

    /// Waits for an element and does something with it; again, if the page has replaced it in between.
    async fn with_element<T>(
        &self,
        locator: Locator<'_>,
        action: impl AsyncFn(Element) -> Result<T, CmdError>,
    ) -> T {
        for _ in 0..10 {
            let element = self.client.wait().for_element(locator).await.unwrap();
            match action(element).await {
                Err(error) if error.is_stale_element_reference() => {}
                result => return result.unwrap(),
            }
        }
        panic!("{locator:?} is replaced all the time")
    }

    pub(super) async fn count(&self, css: &str) -> usize {
        self.client.find_all(Locator::Css(css)).await.unwrap().len()
    }

    /// Waits for what takes long.
    pub(super) async fn wait_for(&self, css: &str) {
        let waiting = self.client.wait().at_most(Duration::from_mins(10));
        waiting.for_element(Locator::Css(css)).await.unwrap();
    }

    pub(super) async fn wait_for_title(&self, beginning: &str) {
        for _ in 0..100 {
            if self.client.title().await.unwrap().starts_with(beginning) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{} is not {beginning}", self.client.title().await.unwrap());
    }

    pub(super) async fn script(&self, script: &str) -> Value {
        self.client.execute(script, vec![]).await.unwrap()
    }

    /// Saves the page as it is in both themes and sizes, for people to look at, and checks it.
    pub(super) async fn pictures(&self, name: &str) {
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        fs::create_dir_all(&directory).unwrap();
        for (width, height) in SIZES {
            self.client.set_window_size(width, height).await.unwrap();
            for theme in ["light", "dark"] {
                self.script(&format!("document.documentElement.dataset.theme = '{theme}'")).await;
                let picture = self.client.screenshot().await.unwrap();
                fs::write(directory.join(format!("{name}-{width}-{theme}.png")), picture).unwrap();
                self.check(&format!("{name} {width} {theme}")).await;
            }
        }
        let (width, height) = SIZES[0];
        self.client.set_window_size(width, height).await.unwrap();
    }

    /// Nobody is kept out, nothing is loaded from elsewhere, nothing is against the policy, nothing sticks out.
    async fn check(&self, page: &str) {
        let sticking_out =
            "return document.documentElement.scrollWidth - document.documentElement.clientWidth";
        assert_eq!(
            self.script(sticking_out).await,
            Value::from(0),
            "{page} is wider than the window"
        );
        let elsewhere = "return performance.getEntriesByType('resource').map(e => e.name).filter(n => !n.startsWith(location.origin))";
        assert_eq!(
            self.script(elsewhere).await,
            json!([]),
            "{page} loads something from elsewhere"
        );
        let violations = "const done = arguments[0];
            const observer = new ReportingObserver(() => {}, { types: ['csp-violation'], buffered: true });
            observer.observe();
            setTimeout(() => done(observer.takeRecords().map(r => r.body.effectiveDirective + ' ' + r.body.blockedURL)), 0)";
        let violations = self.client.execute_async(violations, vec![]).await.unwrap();
        assert_eq!(violations, json!([]), "{page} breaks its own policy");

        let axe = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../target/axe/node_modules/axe-core/axe.min.js");
        let axe = fs::read_to_string(&axe).expect("scripts/axe has fetched axe-core");
        let run = "const done = arguments[0];
            axe.run(document, { resultTypes: ['violations'] }).then(
              (r) => done(r.violations.filter(v => ['serious', 'critical'].includes(v.impact))
                .map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + (n.any[0] || {}).message).join(' | '))),
              (e) => done([String(e)]))";
        let found = self.client.execute_async(&format!("{axe};{run}"), vec![]).await.unwrap();
        assert_eq!(found, json!([]), "{page} keeps people out");
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
