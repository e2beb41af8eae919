//! The program under test: `pgtrack serve`.

use std::error::Error;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

/// It runs until this is dropped.
pub(crate) struct Service {
    process: Child,
    config: PathBuf,
    proxy: String,
    monitor: String,
}

impl Service {
    pub(crate) fn start(program: &str, upstream: &str) -> Result<Self, Box<dyn Error>> {
        let config = std::env::temp_dir().join(format!("pgtrack-soak-{}.toml", std::process::id()));
        let spool = config.with_extension("spool");
        fs::write(
            &config,
            format!(
                "upstream = \"{upstream}\"\n[proxy]\nlisten = [\"127.0.0.1:0\"]\n[dashboard]\nlisten = \"127.0.0.1:0\"\n\
                 [monitor]\nlisten = \"127.0.0.1:0\"\n[audit]\nspool = \"{}\"\n",
                spool.display()
            ),
        )?;
        let mut command = Command::new(program);
        command.args(["serve", "--config"]).arg(&config).stdin(Stdio::null());
        let mut process = command.stderr(Stdio::piped()).spawn()?;
        let mut log = BufReader::new(process.stderr.take().ok_or("no log")?).lines();
        let mut logged = |text: &str| -> Result<String, Box<dyn Error>> {
            for line in log.by_ref() {
                if let Some((_, rest)) = line?.split_once(text) {
                    return Ok(rest.to_owned());
                }
            }
            Err(format!("the program did not say `{text}`").into())
        };
        let proxy = logged("proxy listens on ")?;
        let monitor = logged("health checks are on http://")?;
        logged("dashboard listens on ")?;
        std::thread::spawn(move || {
            for line in log.map_while(Result::ok).filter(|line| line.contains("ERROR")) {
                println!("{line}");
            }
        });
        Ok(Self { process, config, proxy, monitor })
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgresql://postgres@{}/{database}", self.proxy)
    }

    pub(crate) fn metric(&self, name: &str) -> Result<u64, Box<dyn Error>> {
        let mut stream = TcpStream::connect(&self.monitor)?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let start = format!("{name} ");
        let value = text.lines().find_map(|line| line.strip_prefix(&start)).ok_or(start)?;
        Ok(value.parse()?)
    }

    pub(crate) fn memory_kib(&self) -> Result<u64, Box<dyn Error>> {
        Ok(self.metric("process_resident_memory_bytes")? / 1024)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Errors mean that it has ended, or the files are gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(self.config.with_extension("spool"));
        let _ = fs::remove_file(&self.config);
    }
}
