//! Reads a table's name as URLs and the tracker write it: `public.users`, `"Weird.Schema"."a ""b"""`.

use pgtrack_tracker::TableName;

/// Takes the two parts of a qualified name; `None` if it is none.
///
/// As in SQL, a part that is not quoted is folded to lower case.
pub(crate) fn parse(text: &str) -> Option<TableName> {
    let (schema, rest) = part(text)?;
    let (name, rest) = part(rest.strip_prefix('.')?)?;
    rest.is_empty().then_some(TableName { schema, name })
}

/// Writes a name so that [`parse`] reads it; quoted only where necessary.
pub(crate) fn write(table: &TableName) -> String {
    format!("{}.{}", write_part(&table.schema), write_part(&table.name))
}

fn write_part(part: &str) -> String {
    let is_plain = part.starts_with(|first: char| first.is_ascii_lowercase() || first == '_')
        && part.chars().all(|one| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '_');
    if is_plain { part.to_owned() } else { format!("\"{}\"", part.replace('"', "\"\"")) }
}

/// One part and what follows it.
fn part(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find('.').unwrap_or(text.len());
        let (part, rest) = text.split_at(end);
        let is_name = !part.is_empty() && !part.contains('"');
        return is_name.then(|| (part.to_lowercase(), rest));
    };
    let mut part = String::new();
    let mut rest = quoted;
    loop {
        let end = rest.find('"')?;
        part.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return (!part.is_empty()).then_some((part, rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use pgtrack_tracker::TableName;

    use super::{parse, write};

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let name = parse(text).map(|name| (name.schema, name.name));
        let expected = expected.map(|(schema, name)| (schema.to_owned(), name.to_owned()));
        assert_eq!(name, expected, "{text:?}");
    }

    #[test]
    fn names_are_read_as_sql_reads_them() {
        check("public.users", Some(("public", "users")));
        check("Public.Users", Some(("public", "users")));
        check(r#"public."Users""#, Some(("public", "Users")));
        check(r#""a.b"."c ""d""""#, Some(("a.b", r#"c "d""#)));
        check(r#""<script>".t"#, Some(("<script>", "t")));
    }

    #[test]
    fn names_are_written_as_they_are_read() {
        for text in ["public.users", r#""a.b"."c ""d""""#, r#"a."Ü""#] {
            let name: TableName = parse(text).unwrap();
            assert_eq!(write(&name), text);
        }
    }

    #[test]
    fn what_is_no_qualified_name_is_refused() {
        for text in [
            "",
            "users",
            ".users",
            "public.",
            "a.b.c",
            r#"a."b"#,
            r#"a."""#,
            r#"a.b"c"#,
            r#""a"b.c"#,
        ] {
            check(text, None);
        }
    }
}
