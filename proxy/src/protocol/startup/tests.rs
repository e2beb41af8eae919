//! What is read in startup packets, and what is sent instead of them.

use proptest::prelude::*;

use super::Startup;

const CONTEXT: &str = "1 203.0.113.7 54321 9f86d081884c7d659a2feaa0c55ad015";

/// A packet of version 3.0 with the given parameters.
fn packet(parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = vec![0, 3, 0, 0];
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    let length = u32::try_from(body.len() + 4).unwrap();
    [length.to_be_bytes().as_slice(), &body].concat()
}

fn check_rewritten(sent: &[(&str, &str)], received: &[(&str, &str)]) {
    let sent = packet(sent);
    let rewritten = Startup::parse(&sent).unwrap().with_context(CONTEXT).unwrap();
    let expected = packet(&[received, &[("pgtrack.ctx", CONTEXT)]].concat());
    assert_eq!(rewritten.escape_ascii().to_string(), expected.escape_ascii().to_string());
}

#[test]
fn the_context_comes_last_and_the_rest_keeps_order_duplicates_and_unknown_names() {
    let sent = [
        ("user", "ada"),
        ("application_name", "one"),
        ("_pq_.x", "1"),
        ("APPLICATION_NAME", "two"),
        ("options", r"-c search_path=a\ b  -c geqo=off"),
        ("user", "bob"),
    ];
    check_rewritten(&sent, &sent);
}

#[test]
fn a_context_that_the_client_sent_is_dropped_but_its_other_claims_stay() {
    check_rewritten(
        &[
            ("user", "ada"),
            ("pgtrack.ctx", "spoof"),
            ("pgtrack.actor", "ada@example.com"),
            ("PGTRACK.Ctx", "spoof"),
            ("options", "-c pgtrack.ctx=spoof -c geqo=off"),
            ("pgtrack.message", "import"),
        ],
        &[
            ("user", "ada"),
            ("pgtrack.actor", "ada@example.com"),
            ("options", " -c geqo=off"),
            ("pgtrack.message", "import"),
        ],
    );
}

#[test]
fn the_name_of_the_context_is_found_wherever_a_client_says_it() {
    for (name, value, mentions) in [
        ("application_name", "pgtrack", false),
        ("pgtrack.ctx", "removed", false),
        ("options", "-c pgtrack.ctx=removed", false),
        ("database", "my PGTRACK.CTX", true),
        ("x.pgtrack.ctx", "", true),
        ("options", r"-c pgtrack\.ctx_not=x", true),
    ] {
        let sent = packet(&[(name, value)]);
        assert_eq!(Startup::parse(&sent).unwrap().mentions_context(), mentions, "{name}={value}");
    }
}

#[test]
fn without_room_for_the_context_there_is_no_rewritten_packet_but_one_without_it() {
    let room = |value_bytes: usize| {
        let sent = packet(&[("user", &"x".repeat(value_bytes))]);
        let startup = Startup::parse(&sent).unwrap();
        assert_eq!(startup.stripped(), sent);
        startup.with_context(CONTEXT).map(|packet| packet.len())
    };
    // 8 for the header, 6 for "user" and its value, 65 for the context, 1 for the end.
    let added = "pgtrack.ctx".len() + CONTEXT.len() + 2;
    let most = 10_004 - 8 - 6 - added - 1;
    assert_eq!(room(most), Some(10_004));
    assert_eq!(room(most + 1), None);
}

#[test]
fn unknown_layouts_are_left_to_the_server() {
    let mut other_version = packet(&[("user", "ada")]);
    other_version[5] = 4;
    let well_formed = packet(&[("user", "ada")]);
    let no_terminator = &well_formed[..well_formed.len() - 1];
    let name_without_value = [&well_formed[..well_formed.len() - 1], b"database\0\0"].concat();
    let early_end = packet(&[("user", "ada"), ("", ""), ("database", "x")]);
    let header_only = [0, 0, 0, 8, 0, 3, 0, 0];
    for bytes in [&other_version, no_terminator, &name_without_value[..], &early_end, &header_only]
    {
        assert!(Startup::parse(bytes).is_none(), "{}", bytes.escape_ascii());
    }
}

#[test]
fn the_database_is_the_last_one_named_or_that_of_the_user() {
    for (parameters, database) in [
        (vec![("user", "ada")], Some("ada")),
        (vec![("user", "ada"), ("database", "")], Some("ada")),
        (vec![("database", "a"), ("user", "ada"), ("database", "b")], Some("b")),
        (vec![("Database", "a"), ("user", "ada")], Some("ada")),
        (vec![], None),
    ] {
        let sent = packet(&parameters);
        let found = Startup::parse(&sent).unwrap().database();
        assert_eq!(found, database.map(str::as_bytes), "{parameters:?}");
    }
}

#[test]
fn replication_is_on_unless_it_is_spelled_off() {
    for value in ["true", "1", "on", "YES", "database"] {
        let sent = packet(&[("replication", value)]);
        assert!(Startup::parse(&sent).unwrap().is_replication(), "{value}");
    }
    for value in ["false", "F", "off", "of", "no", "N", "0"] {
        let sent = packet(&[("replication", value)]);
        assert!(!Startup::parse(&sent).unwrap().is_replication(), "{value}");
    }
    assert!(!Startup::parse(&packet(&[("user", "ada")])).unwrap().is_replication());
}

proptest! {
    #[test]
    fn a_packet_without_our_setting_is_only_appended_to(
        parameters in proptest::collection::vec(("[a-z_.]{1,12}", "[ -~é]{0,20}"), 0..8),
    ) {
        let parameters: Vec<(&str, &str)> =
            parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let sent = packet(&parameters);
        let rewritten = Startup::parse(&sent).unwrap().stripped();
        prop_assert_eq!(&rewritten, &sent);
    }

    #[test]
    fn no_input_panics(packet in proptest::collection::vec(0u8..4, 0..64)) {
        if let Some(startup) = Startup::parse(&packet) {
            let _ = (startup.database(), startup.with_context(CONTEXT));
        }
    }
}

#[test]
fn a_search_path_is_found_in_every_form_the_server_accepts() {
    let sets_path =
        |parameter| Startup::parse(&packet(&[("user", "ada"), parameter])).unwrap().sets_path();
    for parameter in [
        ("search_path", "public, PgTrack"),
        ("SEARCH_PATH", "pgtrack"),
        ("options", "-c search_path=pgtrack"),
        ("options", r"-csearch_path=a,\ pgtrack"),
        ("options", "-c geqo=off --Search-Path=pgt\\rack"),
    ] {
        assert!(sets_path(parameter), "{parameter:?}");
    }
    for parameter in [
        ("search_path", "public"),
        ("options", "-c search_path=public -c pgtrack.actor=ada"),
        ("options", "-c application_name=pgtrack"),
        ("application_name", "pgtrack"),
    ] {
        assert!(!sets_path(parameter), "{parameter:?}");
    }
}
