//! The password file, `~/.pgpass` (manual, "The Password File").

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::Environment;
use super::keywords::Keywords;

/// The password for the first of the servers that has a line there. A file that others may read is not used.
pub(super) fn look_up(
    keywords: &Keywords,
    environment: Environment<'_>,
    notices: &mut Vec<String>,
) -> Option<String> {
    let given = keywords.get("passfile").map(PathBuf::from);
    let path = given.or_else(|| environment.in_home(".pgpass"))?;
    let mode = fs::metadata(&path).ok().filter(fs::Metadata::is_file)?.permissions().mode();
    if mode & 0o077 != 0 {
        notices.push(format!(
            "the password file {0} is not used because others may read it; chmod 600 {0} makes it private",
            path.display()
        ));
        return None;
    }
    let text = fs::read_to_string(&path).ok()?;
    let (hosts, ports) = (keywords.list("host"), keywords.list("port"));
    hosts.iter().enumerate().find_map(|(index, host)| {
        let host = if host.starts_with('/') { "localhost" } else { host };
        let port = ports.get(index).or(ports.first()).copied().unwrap_or_default();
        let database = keywords.get("dbname").unwrap_or_default();
        let user = keywords.get("user").unwrap_or_default();
        text.lines().find_map(|line| password(line, [host, port, database, user]))
    })
}

/// The password of a line `host:port:database:user:password`, if it is for this place.
fn password(line: &str, place: [&str; 4]) -> Option<String> {
    if line.starts_with('#') {
        return None;
    }
    let fields = fields(line);
    let [host, port, database, user, password] = fields.as_slice() else { return None };
    let fits = [host, port, database, user]
        .into_iter()
        .zip(place)
        .all(|(field, wanted)| field == "*" || field == wanted);
    fits.then(|| password.clone())
}

/// Colons and backslashes within a field have a backslash before them. The last field may have bare colons.
fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let count = fields.len();
        let Some(last) = fields.last_mut() else { break };
        match character {
            '\\' => last.extend(characters.next()),
            ':' if count < 5 => fields.push(String::new()),
            other => last.push(other),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::password;

    #[test]
    fn a_line_is_for_a_place() {
        let place = ["db", "5432", "shop", "ada"];
        for (line, expected) in [
            ("db:5432:shop:ada:secret", Some("secret")),
            ("*:*:*:ada:a:b\\:c\\\\", Some("a:b:c\\")),
            ("db:5433:shop:ada:secret", None),
            ("#db:5432:shop:ada:secret", None),
            ("db:5432:shop:ada", None),
            ("", None),
        ] {
            assert_eq!(password(line, place).as_deref(), expected, "{line}");
        }
    }
}
