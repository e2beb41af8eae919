//! Service files: named groups of settings (manual, "The Connection Service File").

use std::path::PathBuf;

use super::Environment;
use crate::Error;

/// The settings of a service: from the user's own file, else from the system's.
pub(super) fn read(
    name: &str,
    file: Option<&str>,
    environment: Environment<'_>,
) -> Result<Vec<(String, String)>, Error> {
    let own = file.map(PathBuf::from).or_else(|| environment.in_home(".pg_service.conf"));
    let system = environment.get("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".into());
    let system = PathBuf::from(system).join("pg_service.conf");
    let files: Vec<PathBuf> = own.into_iter().chain([system]).collect();
    let mut texts = files.iter().filter_map(|path| std::fs::read_to_string(path).ok());
    texts
        .find_map(|text| find(&text, name))
        .ok_or_else(|| Error::Service { name: name.to_owned(), files: files.clone() })
}

fn find(text: &str, name: &str) -> Option<Vec<(String, String)>> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| *line == format!("[{name}]"))?;
    let pairs = lines
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(keyword, value)| (keyword.trim().to_owned(), value.trim().to_owned()));
    Some(pairs.collect())
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_service_has_the_lines_of_its_section() {
        let text = "# all\n[one]\nhost=a\n[two]\n# b\nhost = b\nport=5433\n\n[three]\nhost=c\n";
        let pair = |keyword: &str, value: &str| (keyword.to_owned(), value.to_owned());
        assert_eq!(find(text, "two"), Some(vec![pair("host", "b"), pair("port", "5433")]));
        assert_eq!(find(text, "four"), None);
    }
}
