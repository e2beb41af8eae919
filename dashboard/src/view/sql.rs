//! SQL with its keywords, texts, numbers and comments told apart.

use maud::{Markup, html};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer, Whitespace};

/// Longer texts are not worth the markup.
const MOST: usize = 20_000;

/// The text as it is, coloured as far as it can be read: what was recorded may end in the middle of a word.
pub(crate) fn highlighted(text: &str) -> Markup {
    if text.len() > MOST {
        return html! { (text) };
    }
    let mut tokens: Vec<TokenWithSpan> = Vec::new();
    // Where the text breaks off, the tokens up to there are good.
    let _ =
        Tokenizer::new(&PostgreSqlDialect {}, text).tokenize_with_location_into_buf(&mut tokens);
    let places = Places::of(text);
    let mut done = 0;
    let mut pieces = Vec::new();
    for token in &tokens {
        let (start, end) = (places.offset(token.span.start), places.offset(token.span.end));
        let Some(class) = class(&token.token) else { continue };
        if start < done || end <= start || end > text.len() {
            continue;
        }
        pieces.push((&text[done..start], None));
        pieces.push((&text[start..end], Some(class)));
        done = end;
    }
    html! {
        @for (piece, class) in pieces {
            @match class { Some(class) => span.(class) { (piece) }, None => { (piece) } }
        }
        (text[done..])
    }
}

fn class(token: &Token) -> Option<&'static str> {
    match token {
        Token::Word(word) if word.keyword != Keyword::NoKeyword && word.quote_style.is_none() => {
            Some("kw")
        }
        Token::Number(..) | Token::Placeholder(_) => Some("num"),
        Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::DollarQuotedString(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_) => Some("str"),
        Token::Whitespace(
            Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_),
        ) => Some("com"),
        _ => None,
    }
}

/// Finds the byte at a line and column, both counted in characters from 1.
struct Places<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Places<'a> {
    fn of(text: &'a str) -> Self {
        let ends = text.match_indices('\n').map(|(index, _)| index + 1);
        Self { text, lines: std::iter::once(0).chain(ends).collect() }
    }

    fn offset(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(1).saturating_sub(1);
        let column = usize::try_from(location.column).unwrap_or(1).saturating_sub(1);
        let Some(start) = self.lines.get(line) else { return self.text.len() };
        let rest = &self.text[*start..];
        rest.char_indices().nth(column).map_or(self.text.len(), |(index, _)| start + index)
    }
}

#[cfg(test)]
mod tests {
    use super::highlighted;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(highlighted(text).into_string(), expected);
    }

    #[test]
    fn words_are_told_apart() {
        check(
            "UPDATE é SET a = 'x''<y', \"select\" = 1.5 -- why\nWHERE b",
            "<span class=\"kw\">UPDATE</span> é <span class=\"kw\">SET</span> a = \
             <span class=\"str\">'x''&lt;y'</span>, &quot;select&quot; = <span class=\"num\">1.5</span> \
             <span class=\"com\">-- why</span>\n<span class=\"kw\">WHERE</span> b",
        );
    }

    #[test]
    fn a_text_that_breaks_off_is_kept_whole() {
        check("DELETE 'half", "<span class=\"kw\">DELETE</span> 'half");
        check("", "");
    }

    #[test]
    fn nothing_is_lost_or_changed() {
        for text in [
            "/* é */ INSERT INTO t VALUES ($1, $$a\nb$$, E'\\n', x'ff', N'n', :name, @x) \r\n; \t--",
            "SELECT 1;;; \u{0} '\n' \"\n\" /* /* nested */ */ ~* !~ ::text[] 1e5 .5 #> 'a'",
        ] {
            let html = highlighted(text).into_string();
            let fragment = scraper::Html::parse_fragment(&html);
            let shown: String = fragment.root_element().text().collect();
            let expected = text.replace("\r\n", "\n").replace('\u{0}', "");
            assert_eq!(shown.replace('\u{fffd}', ""), expected, "{html}");
        }
    }
}
