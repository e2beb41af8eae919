//! Finds PostgreSQL server programs on this machine.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// Where distributions put server programs: `<parent>/<major>/bin` or `<parent>-<major>/bin`.
const VERSIONED_PARENTS: [&str; 6] = [
    "/usr/lib/postgresql",           // Debian, Ubuntu
    "/usr/pgsql",                    // PGDG on Red Hat and friends
    "/usr/local/pgsql",              // built from source
    "/opt/homebrew/opt/postgresql@", // Homebrew on Apple silicon
    "/usr/local/opt/postgresql@",    // Homebrew on Intel
    "/Library/PostgreSQL",           // the EDB installer
];

/// The oldest major version that pg_track supports.
const OLDEST_SUPPORTED: u32 = 15;
/// How far ahead to look for versions newer than this program knows.
const NEWEST_SEARCHED: u32 = 29;

/// A directory with the programs of one PostgreSQL server version.
#[derive(Debug, Clone)]
pub struct Binaries {
    directory: PathBuf,
    major: u32,
}

impl Binaries {
    /// Finds the server programs to use: `explicit` if given, else the newest of those in `PATH`,
    /// in `pg_config --bindir` and in the usual distribution directories.
    ///
    /// # Errors
    /// [`Error::BinariesNotFound`] names every place that was searched.
    pub fn find(explicit: Option<&Path>) -> Result<Self, Error> {
        let places = match explicit {
            Some(directory) => vec![directory.to_owned()],
            None => usual_places(),
        };
        places
            .iter()
            .filter_map(|place| Self::in_directory(place).ok())
            .filter(|found| explicit.is_some() || found.major >= OLDEST_SUPPORTED)
            .max_by_key(|found| found.major)
            .ok_or_else(|| Error::BinariesNotFound {
                searched: places.iter().map(|place| place.display().to_string()).collect(),
            })
    }

    /// Takes the server programs of one directory.
    ///
    /// # Errors
    /// When the directory has no runnable `initdb` and `postgres`.
    pub fn in_directory(directory: &Path) -> Result<Self, Error> {
        let postgres = directory.join("postgres");
        if !directory.join("initdb").exists() || !postgres.exists() {
            return Err(Error::BinariesNotFound {
                searched: vec![directory.display().to_string()],
            });
        }
        let output = Command::new(&postgres)
            .arg("--version")
            .output()
            .map_err(Error::io("run", &postgres))?;
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        let major = parse_major(&output)
            .ok_or_else(|| Error::UnknownVersion { program: postgres, output: output.clone() })?;
        Ok(Self { directory: directory.to_owned(), major })
    }

    /// The major version, such as 18.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The path of one program, such as `initdb`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }
}

/// Every supported server version under the given directories (`<parent>/<major>/bin`) and the usual
/// ones, oldest first, one for each major version. Earlier parents win.
pub fn installed_versions(parents: &[PathBuf]) -> Vec<Binaries> {
    (OLDEST_SUPPORTED..=NEWEST_SEARCHED)
        .filter_map(|major| {
            parents
                .iter()
                .map(|parent| parent.join(major.to_string()).join("bin"))
                .chain(versioned_places(major))
                .find_map(|place| Binaries::in_directory(&place).ok())
        })
        .collect()
}

fn usual_places() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut places: Vec<PathBuf> = env::split_paths(&path)
        .filter(|directory| directory.join("postgres").exists())
        .filter_map(|directory| fs::canonicalize(directory).ok())
        .collect();
    places.extend(pg_config_bindir());
    places.extend(
        (OLDEST_SUPPORTED..=NEWEST_SEARCHED).flat_map(versioned_places).filter(|p| p.exists()),
    );
    places.dedup();
    if places.is_empty() {
        places = VERSIONED_PARENTS.iter().map(PathBuf::from).collect();
        places.insert(0, PathBuf::from("PATH"));
    }
    places
}

fn versioned_places(major: u32) -> impl Iterator<Item = PathBuf> {
    VERSIONED_PARENTS.iter().flat_map(move |parent| {
        let joiner = if parent.ends_with('@') { "" } else { "-" };
        [format!("{parent}/{major}/bin"), format!("{parent}{joiner}{major}/bin")].map(PathBuf::from)
    })
}

fn pg_config_bindir() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let directory = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(directory.trim()))
}

/// Reads the major version of "postgres (PostgreSQL) 18.4 (Debian …)", also "19beta1".
fn parse_major(output: &str) -> Option<u32> {
    let version = output.split("(PostgreSQL) ").nth(1)?;
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::parse_major;

    #[test]
    fn the_major_version_is_read_from_every_known_form() {
        for (output, major) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 18.4\n", Some(18)),
            ("postgres (PostgreSQL) 19beta1\n", Some(19)),
            ("postgres (EnterpriseDB) ?", None),
        ] {
            assert_eq!(parse_major(output), major, "{output:?}");
        }
    }
}
