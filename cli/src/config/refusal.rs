//! What is wrong with a configuration, without what it says: a line may hold a password, also where its key is misspelt.

use std::path::Path;

use crate::error::Error;

/// The error for a file, or for what environment variables made of it, which has no lines.
pub(super) fn refused(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    let place = error.span().map_or_else(String::new, |span| place(text, span.start));
    let mut message = format!("{place}{}", without_secrets(error.message()));
    if let Some(suggestion) = suggest(error.message()) {
        message = format!("{message}\nhint: did you mean `{suggestion}`?");
    }
    Error::Config { path: path.to_owned(), message }
}

fn place(text: &str, position: usize) -> String {
    let before = text.get(..position).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("TOML parse error at line {line}, column {column}: ")
}

/// A message that quotes what may be a URL with a password, without the quotation.
pub(crate) fn without_secrets(message: &str) -> String {
    let is_harmless = !["@", "://", "password"].iter().any(|sign| message.contains(sign));
    let Some(start) = message.find(['"', '`']).filter(|_| !is_harmless) else {
        return message.to_owned();
    };
    let (before, rest) = message.split_at(start);
    let quote = rest.get(..1).unwrap_or_default();
    // A key is followed by a list of others, a value by the rest of the sentence.
    let end = rest.rfind("`, expected one of").or_else(|| rest.rfind(quote)).unwrap_or_default();
    format!("{before}…{}", rest.get(end + 1..).unwrap_or_default())
}

/// Finds the key that somebody meant, in serde's "unknown field `a`, expected one of `b`, `c`".
fn suggest(message: &str) -> Option<&str> {
    let (unknown, known) =
        message.strip_prefix("unknown field `")?.rsplit_once("`, expected one of ")?;
    known
        .split('`')
        .skip(1)
        .step_by(2)
        .map(|name| (strsim::damerau_levenshtein(unknown, name), name))
        .filter(|(distance, name)| *distance <= name.len() / 2)
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::parse;

    #[test]
    fn an_error_quotes_no_password() {
        let url = "postgresql://ada:sesame@db/shop";
        for text in [
            format!("upstreem = \"{url}\""),
            format!("upstream = \"{url}"),
            format!("upstream = {url}"),
            format!("upstream = \"{url}\" extra"),
            format!("upstream = [\"{url}\"]"),
            format!("track = \"{url}\""),
            format!("track = '''\n{url}\n'''"),
            format!("follow_ddl_seconds = \"{url}\""),
            format!("\"{url}\" = 1"),
            format!("{url} = 1"),
            format!("[databases]\nshop = {{ url = \"{url}\" }}"),
            format!("[databases]\nshop = \"{url}\"\nshop = \"{url}\""),
            format!("[proxy]\nlisten = [\"{url}\"]"),
            format!("[proxy]\nlisten = \"{url}\""),
            format!("[dashboard]\nlisten = \"{url}\""),
            format!("[\"{url}\"]"),
            "[dashboard]\nhttps = \"host=db password=sesame\"".to_owned(),
            "[dashboard]\nhttps = \"ada:sesame@db\"".to_owned(),
            format!("[scram]\nverifiers = \"{url}\""),
            format!("[client_tls]\nmode = \"{url}`, expected one of sesame\""),
            format!("[[guard]]\ntruncate = \"{url}\""),
        ] {
            let report = parse(&text, Path::new("pgtrack.toml")).unwrap_err().report();
            assert!(!report.contains("sesame"), "{text}\n{report}");
            assert!(report.starts_with("pgtrack.toml: TOML parse error at line "), "{report}");
        }
        let report = parse("follow_ddl_seconds = \"soon\"", Path::new("f")).unwrap_err().report();
        assert!(report.contains("string \"soon\", expected"), "{report}");
    }
}
