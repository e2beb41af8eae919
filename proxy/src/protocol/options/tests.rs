//! Every form that the server accepts, and those that only look like it.

use proptest::prelude::*;

use super::without_setting;

fn check(options: &str, expected: &str) {
    let kept = without_setting(options.as_bytes(), b"pgtrack.ctx");
    assert_eq!(String::from_utf8(kept).unwrap(), expected, "{options:?}");
}

#[test]
fn the_setting_is_removed_in_every_form_the_server_accepts() {
    check("-c pgtrack.ctx=x", "");
    check("-cpgtrack.ctx=x", "");
    check("--pgtrack.ctx=x", "");
    check("-c PGTRACK.Ctx=x", "");
    check(r"-c pgtrack\.ctx=x", "");
    check(r"-\c pgtrack.ctx=x", "");
    check(r"\-c pgtrack.ctx=x", "");
    check(r"\-\-pgtrack.ctx=a\ b", "");
    check(r"-c pgtrack.ctx=a\ b\\ -E", " -E");
    check("-c\t\x0b\n pgtrack.ctx=x", "");
    check("-Ec pgtrack.ctx=x", "-E");
    check("-Ecpgtrack.ctx=x -F", "-E -F");
    check("-E-pgtrack.ctx=x", "-E");
    check("-c pgtrack.ctx=a --PGTRACK.CTX=b", " ");
}

#[test]
fn everything_else_stays_as_it_is() {
    for options in [
        "",
        "   ",
        r"-c search_path=a\ b,c -c geqo=off",
        "-c work_mem=1MB  --enable-seqscan=off",
        "-c pgtrack.actor=ada -c pgtrack.message=pgtrack.ctx=x",
        "-c pgtrack.ctx2=x -c xpgtrack.ctx=y",
        "-c",
        "-",
        "\\",
        "-- -c pgtrack.ctx=x",
        // The argument of another switch.
        "-d -cpgtrack.ctx=x",
        "-D --pgtrack.ctx=x",
    ] {
        check(options, options);
    }
    check(
        r"-c search_path=a\ b  -c pgtrack.ctx=x  -c geqo=off",
        r"-c search_path=a\ b    -c geqo=off",
    );
}

#[test]
fn an_argument_that_looks_like_a_switch_does_not_hide_the_setting() {
    check("-D -c -c pgtrack.ctx=x", "-D -c ");
    check("-S 100 -c pgtrack.ctx=x", "-S 100 ");
}

proptest! {
    #[test]
    fn removal_is_complete_and_takes_nothing_else(
        parts in proptest::collection::vec(
            prop_oneof![
                Just(("-c pgtrack.ctx=a", true)),
                Just((r"--PgTrack\.ctx=a\ b", true)),
                Just((r"-c search_path=a\ b", false)),
                Just(("-E", false)),
                Just(("--geqo=off", false)),
            ],
            0..6,
        ),
    ) {
        let join = |parts: &[(&str, bool)]| {
            parts.iter().map(|(text, _)| *text).collect::<Vec<_>>().join(" ")
        };
        let others: Vec<_> = parts.iter().copied().filter(|(_, ours)| !ours).collect();
        let kept = without_setting(join(&parts).as_bytes(), b"pgtrack.ctx");
        let kept = String::from_utf8(kept).unwrap();
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        prop_assert_eq!(words(&kept), words(&join(&others)));
    }

    #[test]
    fn no_input_panics_and_nothing_is_invented(
        options in proptest::collection::vec(
            prop_oneof![Just(b'-'), Just(b'c'), Just(b'\\'), Just(b' '), Just(b'='), any::<u8>()],
            0..40,
        ),
    ) {
        prop_assert!(without_setting(&options, b"x").len() <= options.len());
    }
}
