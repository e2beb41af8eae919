//! `pgtrack serve` as a service: reload, shutdown, health checks, metrics, logs.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use pgtrack_testkit::{Database, on_each_version};

use crate::program::{pgtrack, psql, run_psql};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A running `pgtrack serve` with a configuration file of its own.
pub(crate) struct Service {
    process: Child,
    log: Receiver<String>,
    pub(crate) config: PathBuf,
    proxy: String,
    pub(crate) monitor: String,
}

impl Service {
    pub(crate) fn start(database: &str, content: &str, environment: &[(&str, &str)]) -> Self {
        let config = std::env::temp_dir().join(format!("pgtrack-{database}.toml"));
        fs::write(&config, content).unwrap();
        let mut process = pgtrack()
            .args(["serve", "--config", config.to_str().unwrap()])
            .envs(environment.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(process.stderr.take().unwrap());
        let (sender, log) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let (proxy, monitor) = (String::new(), String::new());
        let mut service = Self { process, log, config, proxy, monitor };
        service.proxy = service.logged("proxy listens on ");
        service.monitor = service.logged("health checks are on http://");
        service.logged("dashboard listens on ");
        service
    }

    /// What follows `text` in the first line that has it.
    pub(crate) fn logged(&self, text: &str) -> String {
        loop {
            let line = self.log.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no `{text}`"));
            if let Some((_, rest)) = line.split_once(text) {
                return rest.trim_end_matches(['"', '}']).to_owned();
            }
        }
    }

    /// The status and the body of an answer.
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.monitor).unwrap();
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split("\r\n\r\n").nth(1).unwrap().to_owned())
    }

    fn metric(&self, name: &str) -> u64 {
        let (_, text) = self.get("/metrics");
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.unwrap_or_else(|| panic!("{text}")).split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@{}/{database}", self.proxy)
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Errors mean that it has ended, or the file is gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.config);
    }
}

pub(crate) fn content(upstream: &str, max_sessions: u32) -> String {
    format!(
        "upstream = \"{upstream}\"\n[proxy]\nlisten = [\"127.0.0.1:0\"]\nmax_sessions = {max_sessions}\n\
         [dashboard]\nlisten = \"127.0.0.1:0\"\n[monitor]\nlisten = \"127.0.0.1:0\"\n"
    )
}

pub(crate) fn service(database: &Database) -> Service {
    Service::start(database.name(), &content(&database.url(), 10), &[])
}

/// A psql that has begun a transaction and keeps it open until its input ends.
fn busy_psql(url: &str) -> Child {
    let mut process = Command::new("psql")
        .args(["-XAtq", url])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    process.stdin.as_mut().unwrap().write_all(b"BEGIN; SELECT 'begun';\n").unwrap();
    let mut begun = [0; 6];
    process.stdout.as_mut().unwrap().read_exact(&mut begun).unwrap();
    process
}

#[test]
fn case_72_sigterm_lets_transactions_end_and_exits_with_0() {
    on_each_version(async |database| {
        let mut service = service(&database);
        let mut busy = busy_psql(&service.url(database.name()));
        service.signal("TERM");
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(&service.proxy).is_ok() && Instant::now() < until {
            std::thread::yield_now();
        }
        let work = b"CREATE TABLE t AS SELECT 1; COMMIT;\nSELECT 2;\n";
        busy.stdin.take().unwrap().write_all(work).unwrap();
        let output = busy.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("terminating connection due to administrator command"), "{told}");
        assert!(service.wait().success());
        assert_eq!(psql(&database.url(), "SELECT count(*) FROM t"), "1");
    });
}

#[test]
fn case_75_a_second_signal_forces_and_an_interrupt_drains_as_well() {
    on_each_version(async |database| {
        let mut service = service(&database);
        let mut busy = busy_psql(&service.url(database.name()));
        service.signal("INT");
        let until = Instant::now() + PATIENCE;
        while TcpStream::connect(&service.proxy).is_ok() && Instant::now() < until {
            std::thread::yield_now();
        }
        assert!(service.process.try_wait().unwrap().is_none(), "a transaction is open");
        service.signal("INT");
        assert_eq!(service.wait().code(), Some(130));
        busy.kill().unwrap();
        busy.wait().unwrap();
    });
}

#[test]
fn case_73_a_broken_configuration_keeps_the_old_one() {
    on_each_version(async |database| {
        let service = service(&database);
        let url = service.url(database.name());
        assert_eq!(service.metric("pgtrack_config_last_reload_success"), 1);
        fs::write(&service.config, "[proxy]\nmax_sesions = 0\n").unwrap();
        service.signal("HUP");
        service.logged("the old configuration stays in use");
        assert_eq!(service.metric("pgtrack_config_last_reload_success"), 0);
        assert_eq!(psql(&url, "SELECT 1"), "1");
        let (status, report) = service.get("/readyz");
        assert_eq!((status, report.lines().next()), (200, Some("ready, degraded")));

        fs::write(&service.config, content(&database.url(), 0)).unwrap();
        service.signal("HUP");
        service.logged("the configuration was reloaded");
        assert_eq!(service.metric("pgtrack_config_last_reload_success"), 1);
        let refused = run_psql(&url, "SELECT 1");
        let told = String::from_utf8_lossy(&refused.stderr);
        assert!(told.contains("sorry, too many clients already"), "{told}");
        assert_eq!(service.metric("pgtrack_proxy_refused_sessions_total"), 1);
    });
}

#[test]
fn metrics_and_health_checks_say_how_it_is() {
    on_each_version(async |database| {
        let service = service(&database);
        assert_eq!(service.get("/livez"), (200, "alive\n".into()));
        assert_eq!(service.get("/readyz"), (200, "ready\n".into()));
        assert_eq!(service.get("/").0, 404);
        let url = service.url(database.name());
        assert_eq!(psql(&url, "SELECT 1"), "1");
        assert_eq!(service.metric("pgtrack_proxy_sessions_total"), 1);
        let mut busy = busy_psql(&url);
        assert_eq!(service.metric("pgtrack_proxy_open_sessions"), 1);
        assert!(service.metric("process_resident_memory_bytes") > 1_000_000);
        assert_eq!(service.metric("pgtrack_proxy_unanalysed_refused_total"), 0);
        psql(&url, &format!("SELECT 'pgtrack', '{}'", "x".repeat(70_000)));
        let unanalysed = "pgtrack_proxy_unanalysed_total{reason=\"too_long\"}";
        assert!(service.get("/metrics").1.contains(&format!("{unanalysed} 1\n")));
        busy.kill().unwrap();
        busy.wait().unwrap();
        let (_, text) = service.get("/metrics");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let name = line.split([' ', '{']).next().unwrap();
            assert!(text.contains(&format!("# TYPE {name} ")), "{line}");
        }
    });
}

#[test]
fn case_83_a_database_that_cannot_be_prepared_works_and_is_a_degraded_state() {
    on_each_version(async |database| {
        let other = database.server().database().await;
        let role = format!("weak_{}", other.name());
        psql(&database.url(), &format!("CREATE ROLE {role} LOGIN"));
        let weak = other.url().replace("postgres@", &format!("{role}@"));
        let config = content(&database.url(), 10);
        let config = format!("{config}[databases]\n{} = \"{weak}\"\n", other.name());
        let service = Service::start(database.name(), &config, &[]);
        assert_eq!(psql(&service.url(other.name()), "SELECT 1"), "1");
        service.logged("could not prepare the database");
        let (status, report) = service.get("/readyz");
        assert_eq!(status, 200);
        assert!(report.starts_with("ready, degraded\n"), "{report}");
        assert!(
            report.contains(&format!("database {}: pg_track is not", other.name())),
            "{report}"
        );
        drop(service);
        other.remove().await;
        psql(&database.url(), &format!("DROP ROLE {role}"));
    });
}

#[test]
fn without_its_server_it_lives_and_is_not_ready() {
    on_each_version(async |database| {
        let service = service(&database);
        fs::write(&service.config, content("postgresql://postgres@127.0.0.1:1/none", 10)).unwrap();
        service.signal("HUP");
        service.logged("the configuration was reloaded");
        assert_eq!(service.get("/livez").0, 200);
        let (status, report) = service.get("/readyz");
        assert_eq!(status, 503);
        assert!(report.contains("could not connect to upstream `127.0.0.1:1`"), "{report}");
    });
}

#[test]
fn case_76_a_log_that_nobody_reads_ends_no_session() {
    on_each_version(async |database| {
        let environment = [("PGTRACK_LOG", "debug")];
        let content = content(&database.url(), 10);
        let mut service = Service::start(database.name(), &content, &environment);
        // Whoever passes lines on notices with the next one, and closes standard error.
        service.log = channel().1;
        for _ in 0..10 {
            assert_eq!(psql(&service.url(database.name()), "SELECT 1"), "1");
        }
        assert_eq!(service.metric("pgtrack_proxy_sessions_total"), 10);
        assert_eq!(service.metric("pgtrack_proxy_panics_total"), 0);
    });
}

#[test]
fn logs_can_be_json_and_never_name_the_password() {
    on_each_version(async |database| {
        let url = database.url().replace("postgres@", "postgres:sesame@");
        let environment = [("PGTRACK_LOG_FORMAT", "json"), ("PGTRACK_LOG", "trace")];
        let mut service = Service::start(database.name(), &content(&url, 10), &environment);
        assert_eq!(psql(&service.url(database.name()), "SELECT 1"), "1");
        service.signal("TERM");
        assert!(service.wait().success());
        let lines: Vec<String> = service.log.iter().collect();
        assert!(!lines.is_empty());
        for line in lines {
            assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
            assert!(!line.contains("sesame"), "{line}");
        }
    });
}

#[test]
fn systemd_is_told_when_it_is_ready_and_when_it_stops() {
    on_each_version(async |database| {
        let path = std::env::temp_dir().join(format!("{}.notify", database.name()));
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let receive = || {
            let mut buffer = [0; 100];
            let count = socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..count].to_vec()).unwrap()
        };
        let environment = [("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "20000")];
        let mut service =
            Service::start(database.name(), &content(&database.url(), 10), &environment);
        assert_eq!(receive(), "READY=1");
        assert_eq!(receive(), "WATCHDOG=1");
        service.signal("TERM");
        while receive() != "STOPPING=1" {}
        assert!(service.wait().success());
        fs::remove_file(path).unwrap();
    });
}

#[test]
fn check_says_what_a_configuration_means_and_no_password() {
    let config = std::env::temp_dir().join(format!("pgtrack-check-{}.toml", std::process::id()));
    let upstream = "postgresql://ada:sesame@one,two:1/d?target_session_attrs=primary";
    fs::write(&config, content(upstream, 10)).unwrap();
    let path = config.to_str().unwrap();
    let output = pgtrack().args(["check", "--config", path]).output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("the configuration is valid\nproxy      127.0.0.1:0\n"), "{text}");
    assert!(text.contains("database   *: one:5432,two:1 (primary)\n"), "{text}");
    assert!(!text.contains("sesame"));

    fs::write(&config, "[proxy]\nthread = 1\n").unwrap();
    let output = pgtrack().args(["check", "--config", path]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(report.contains("line 2") && report.contains("did you mean `threads`?"), "{report}");

    // What `serve` would fail over, too.
    let spool = "/nowhere/audit.spool";
    let text = format!("{}[audit]\nspool = \"{spool}\"\n", content(upstream, 10));
    fs::write(&config, text).unwrap();
    let output = pgtrack().args(["check", "--config", path]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let report = String::from_utf8(output.stderr).unwrap();
    assert!(report.contains("cannot use the audit's spool file /nowhere/audit.spool"), "{report}");
    fs::remove_file(config).unwrap();
}

#[test]
fn a_broken_configuration_is_reported_without_its_password() {
    on_each_version(async |database| {
        let upstream = database.url().replace("postgres@", "postgres:sesame@");
        let mut service = Service::start(database.name(), &content(&upstream, 10), &[]);
        fs::write(&service.config, content(&upstream, 10).replace("upstream", "upstreem")).unwrap();
        service.signal("HUP");
        let told = service.logged("the old configuration stays in use");
        assert!(!told.contains("sesame") && told.contains("unknown field"), "{told}");
        let path = service.config.to_str().unwrap();
        for command in ["check", "serve", "rekey"] {
            let output = pgtrack().args([command, "--config", path]).output().unwrap();
            let report = String::from_utf8(output.stderr).unwrap();
            assert!(!report.contains("sesame"), "{report}");
            assert!(
                report.contains("line 1") && report.contains("did you mean `upstream`?"),
                "{report}"
            );
        }
        service.signal("TERM");
        assert!(service.wait().success());
        assert!(service.log.iter().all(|line| !line.contains("sesame")));
    });
}

#[test]
fn a_password_is_taken_from_everywhere_but_the_arguments() {
    let refused = pgtrack()
        .args(["check", "--upstream", "postgresql://ada:sesame@db/shop"])
        .output()
        .unwrap();
    let report = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(2), "{report}");
    assert!(report.contains("PGPASSFILE") && !report.contains("sesame"), "{report}");
    let given = pgtrack()
        .arg("check")
        .env("PGTRACK_UPSTREAM", "postgresql://ada:sesame@db/shop")
        .output()
        .unwrap();
    assert!(given.status.success());
    assert!(!String::from_utf8(given.stdout).unwrap().contains("sesame"));
}

#[test]
fn check_says_where_the_spool_cannot_be_written() {
    let folder = std::env::temp_dir().join(format!("pgtrack-spool-{}", std::process::id()));
    let config = folder.with_extension("toml");
    let spool = folder.join("audit.spool");
    let text = format!("upstream = \"postgresql://u@h/d\"\n[audit]\nspool = {spool:?}\n");
    fs::write(&config, text).unwrap();
    let check = || {
        let output = pgtrack().args(["check", "--config", config.to_str().unwrap()]).output();
        let output = output.unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    let (is_valid, report) = check();
    assert!(!is_valid && report.contains("cannot use the audit's spool file"), "{report}");
    fs::create_dir(&folder).unwrap();
    assert_eq!(check(), (true, String::new()));
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
    fs::write(&spool, "").unwrap();
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o644)).unwrap();
    let (is_valid, report) = check();
    assert!(!is_valid && report.contains("is not ours alone"), "{report}");
    fs::set_permissions(&spool, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(check(), (true, String::new()));
    fs::remove_file(&spool).unwrap();
    fs::create_dir(&spool).unwrap();
    let (is_valid, report) = check();
    assert!(!is_valid && report.contains("cannot use the audit's spool file"), "{report}");
    fs::remove_dir_all(folder).unwrap();
    fs::remove_file(config).unwrap();
}

#[test]
fn a_call_keeps_its_record_when_the_proxy_is_killed_before_the_answer() {
    on_each_version(async |database| {
        let mut service = service(&database);
        let url = database.url();
        psql(&url, "CREATE TABLE users (id int PRIMARY KEY, name text)");
        psql(&url, "SELECT pgtrack.track('users'); INSERT INTO users VALUES (1, 'Ada')");
        psql(&url, "UPDATE users SET name = 'Eve'");
        let holder = database.connect().await;
        holder.batch_execute("BEGIN; LOCK TABLE users").await.unwrap();
        let mut caller = Command::new("psql")
            .args(["-XAtqc", "SELECT pgtrack.undo('users', 1)", &service.url(database.name())])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let open = "SELECT verb || ' ' || outcome FROM pgtrack.audit WHERE through_proxy";
        let until = Instant::now() + PATIENCE;
        while psql(&url, open) != "undo started" {
            assert!(Instant::now() < until, "the call was recorded before it was forwarded");
            std::thread::sleep(Duration::from_millis(20));
        }
        service.signal("KILL");
        service.wait();
        assert!(!caller.wait().unwrap().success());
        holder.batch_execute("ROLLBACK").await.unwrap();
        assert_eq!(psql(&url, open), "undo started");
    });
}
