//! Text can be read in both themes: every pair of tokens that meet on a page, by the formula of WCAG 2.2.

use std::collections::HashMap;

const CSS: &str = include_str!("../../assets/app.css");

/// The tokens that text is written in, and those that it is written on.
const TEXT: [(&str, &[&str]); 11] = [
    ("ink", &["canvas", "surface", "sunken", "insert-tint", "delete-tint", "warn-tint"]),
    ("muted", &["canvas", "surface", "sunken", "insert-tint", "delete-tint"]),
    ("accent", &["canvas", "surface", "sunken", "insert-tint", "delete-tint", "warn-tint"]),
    ("accent-strong", &["canvas", "surface", "sunken"]),
    ("on-accent", &["accent", "accent-strong"]),
    ("insert", &["insert-tint"]),
    ("update", &["update-tint"]),
    ("delete", &["delete-tint"]),
    ("undo", &["undo-tint"]),
    ("warn", &["warn-tint", "sunken"]),
    ("surface", &["warn"]),
];

/// What has to be seen, but not read.
const SHAPES: [(&str, &[&str]); 3] =
    [("edge", &["canvas", "surface"]), ("warn", &["warn-tint"]), ("insert", &["canvas"])];

/// Both values of every token.
fn tokens() -> HashMap<&'static str, [&'static str; 2]> {
    CSS.lines()
        .filter_map(|line| {
            let (name, rest) = line.trim().strip_prefix("--")?.split_once(": light-dark(")?;
            let (light, dark) = rest.strip_suffix(");")?.split_once(", ")?;
            Some((name, [light, dark]))
        })
        .collect()
}

fn luminance(colour: &str) -> f64 {
    let channel = |start: usize| {
        let value = u8::from_str_radix(&colour[start..start + 2], 16).expect("it is a colour");
        let value = f64::from(value) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn check(pairs: &[(&str, &[&str])], least: f64) {
    let tokens = tokens();
    for (front, backs) in pairs {
        for back in *backs {
            for (one, other) in tokens[front].iter().zip(tokens[back]) {
                let found = contrast(one, other);
                assert!(found >= least, "{front} ({one}) on {back} ({other}): {found:.2}");
            }
        }
    }
}

#[test]
fn text_has_a_contrast_of_4_5() {
    check(&TEXT, 4.5);
}

#[test]
fn shapes_have_a_contrast_of_3() {
    check(&SHAPES, 3.0);
}
