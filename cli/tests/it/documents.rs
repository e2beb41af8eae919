//! Every command in the documents is run.
//!
//! A block of `sh` is run by a shell for which `PG*` variables name a database of its own, and in which `pgtrack` is
//! the program under test; a block of `sql` is run by psql. The blocks of a document are run in their order.
//! The service `archive` is a database on another server.
//! A block of `sh elsewhere` needs a machine, an account or a service that a test does not have: it is not run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pgtrack_testkit::{newest_for, own_server};

use crate::program::client_program;

/// The documents, and how many of their blocks cannot be run here.
const DOCUMENTS: [(&str, usize); 4] = [
    ("docs/getting-started.md", 2),
    ("docs/operations.md", 8),
    ("docs/migration.md", 0),
    ("docs/security.md", 1),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A fenced block: what stands behind the fence, the text, and its line.
#[derive(Debug, PartialEq, Eq)]
struct Block {
    kind: String,
    text: String,
    line: usize,
}

fn blocks(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (index, line) in document.lines().enumerate() {
        match (line.strip_prefix("```"), is_open) {
            (Some(kind), false) => {
                blocks.push(Block { kind: kind.to_owned(), text: String::new(), line: index + 1 });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    blocks
}

#[test]
fn every_command_in_the_readme_works_in_the_demo() {
    let demo = crate::program::Demo::start(&["--no-traffic"]);
    let proxy: tokio_postgres::Config = demo.proxy.parse().unwrap();
    let place = std::env::temp_dir().join(format!("pgtrack-readme-{}", std::process::id()));
    fs::create_dir_all(&place).unwrap();
    let port = proxy.get_ports()[0];
    let shop = Place { port, archive: port, database: "shop", directory: &place };
    assert_eq!(shop.run_all("README.md"), 3);
    fs::remove_dir_all(place).unwrap();
}

#[test]
fn every_command_in_the_documents_works() {
    let binaries = newest_for(&client_program("pg_dump"));
    let server = own_server(&binaries, &[("wal_level", "logical")]);
    let archive = own_server(&binaries, &[]);
    for (name, elsewhere) in DOCUMENTS {
        let database = name.trim_start_matches("docs/").trim_end_matches(".md").replace('-', "_");
        crate::program::psql(&server.url("postgres"), &format!("CREATE DATABASE {database}"));
        let directory =
            std::env::temp_dir().join(format!("pgtrack-{database}-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (port, archive) = (server.port(), archive.port());
        let place = Place { port, archive, database: &database, directory: &directory };
        assert_eq!(place.run_all(name), elsewhere, "{name}: blocks that are not run");
        fs::remove_dir_all(directory).unwrap();
    }
}

/// Where a document's commands are run.
struct Place<'a> {
    port: u16,
    /// The port of the other server.
    archive: u16,
    database: &'a str,
    directory: &'a Path,
}

impl Place<'_> {
    /// Runs all blocks of a document; returns how many cannot be run here.
    fn run_all(&self, document: &str) -> usize {
        let mut skipped = 0;
        for block in blocks(&fs::read_to_string(root().join(document)).unwrap()) {
            match block.kind.as_str() {
                "sh" => self.run(Command::new("bash").args(["-euo", "pipefail"]), document, &block),
                "sql" => {
                    let options = ["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"];
                    self.run(Command::new("psql").args(options), document, &block);
                }
                "sh elsewhere" => skipped += 1,
                "text" | "toml" | "yaml" => {}
                other => panic!("{document}:{}: a block of `{other}`", block.line),
            }
        }
        skipped
    }

    fn run(&self, command: &mut Command, document: &str, block: &Block) {
        let ours = Path::new(env!("CARGO_BIN_EXE_pgtrack")).parent().unwrap().to_owned();
        let clients = client_program("pg_dump").parent().unwrap().to_owned();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = [ours, clients].into_iter().chain(std::env::split_paths(&path));
        let script = self.directory.join("block");
        fs::write(&script, &block.text).unwrap();
        let services = self.directory.join("services");
        let archive = format!(
            "[archive]\nhost=127.0.0.1\nport={}\nuser=postgres\ndbname=postgres\n",
            self.archive
        );
        fs::write(&services, archive).unwrap();
        let output = command
            .env("PGSERVICEFILE", services)
            .stdin(fs::File::open(&script).unwrap())
            .current_dir(self.directory)
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("HOME", self.directory)
            .env("REPOSITORY", root().canonicalize().unwrap())
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env("PGDATABASE", self.database)
            .env("PGAPPNAME", "psql")
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{document}:{}\n{}{}{}",
            block.line,
            block.text,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Each headline of docs/troubleshooting.md is the text of an error, with … for what differs.
#[test]
fn every_error_that_is_explained_exists() {
    let sources = ["sql", "cli/src", "proxy/src", "connect/src", "tracker/src", "dashboard/src"];
    let mut texts = Vec::new();
    for source in sources {
        read(&root().join(source), &mut texts);
    }
    let document = fs::read_to_string(root().join("docs/troubleshooting.md")).unwrap();
    let headlines: Vec<&str> =
        document.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert!(headlines.len() > 10);
    for headline in headlines {
        for part in headline.split('…').map(str::trim).filter(|part| !part.is_empty()) {
            assert!(texts.iter().any(|text| text.contains(part)), "no error says: {part}");
        }
    }
}

fn read(place: &Path, texts: &mut Vec<String>) {
    for entry in fs::read_dir(place).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, texts);
        } else if let Ok(text) = fs::read_to_string(&path) {
            texts.push(text);
        }
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let mut names: Vec<PathBuf> =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.extend(["README.md", "CONTRIBUTING.md", "SECURITY.md"].map(|name| root().join(name)));
    for path in names.iter().filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        let text = fs::read_to_string(path).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.contains("://") {
                continue;
            }
            assert!(path.parent().unwrap().join(file).exists(), "{}: {link}", path.display());
        }
    }
}

#[test]
fn blocks_are_found_with_their_kind() {
    let found = blocks("a\n```sh\nls\n```\nb\n```sql\nSELECT 1;\n```\n");
    let kinds: Vec<_> = found.iter().map(|block| (block.kind.as_str(), block.line)).collect();
    assert_eq!(kinds, [("sh", 2), ("sql", 6)]);
    assert_eq!(found[1].text, "SELECT 1;\n");
}
