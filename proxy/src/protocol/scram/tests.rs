//! A client and a server on either side of the bridge.
//!
//! The client is the one of RFC 7677, section 3; whole exchanges with real ones are in the integration tests.

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::messages::{decode, encode};
use super::{Bridge, ClientFirst, Key, Randomness, ScramError, Verifier, hmac, xor};

const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";
const RANDOM: Randomness =
    Randomness { client_nonce: [1; 18], server_nonce: [2; 18], wrong_proof: [3; 32] };

/// `Hi` of RFC 5802: PBKDF2 of one block.
fn salted_password(password: &str) -> Key {
    let mut block = [0; 64];
    block[..password.len()].copy_from_slice(password.as_bytes());
    let mac = |message: &[u8]| -> Key {
        use hmac::{KeyInit, Mac};
        let mut mac = hmac::Hmac::<Sha256>::new(&block.into());
        mac.update(message);
        mac.finalize().into_bytes().into()
    };
    let mut last = mac(&[decode(SALT).unwrap(), vec![0, 0, 0, 1]].concat());
    let mut result = last;
    for _ in 1..4096 {
        last = mac(&last);
        result = xor(&result, &last);
    }
    result
}

fn client_key() -> Key {
    hmac(&salted_password("pencil"), "Client Key")
}

fn stored_key() -> Key {
    Sha256::digest(client_key()).into()
}

fn server_key() -> Key {
    hmac(&salted_password("pencil"), "Server Key")
}

fn verifier() -> Verifier {
    let keys = format!("{}:{}", encode(&stored_key()), encode(&server_key()));
    Verifier::parse(&format!("SCRAM-SHA-256$4096:{SALT}${keys}")).unwrap()
}

/// Runs an exchange up to the proof for the server. Returns that and the bridge, and what the client and the server
/// have seen of the exchange.
fn proof_for(
    header: &str,
    claimed_end_point: &[u8],
    verifier: Option<&Verifier>,
) -> Result<(Bridge, String, String, String), ScramError> {
    let client_first = format!("{header}n=user,r=rOprNGfwEbeRWgbNEkqO");
    let first = ClientFirst::parse(client_first.as_bytes()).unwrap();
    let mut bridge = Bridge::new(&first, Some(b"ours"), Some(b"theirs"), RANDOM)?;

    let upstream_first = bridge.upstream_first(Some(b"theirs"));
    let upstream_bare = upstream_first.strip_prefix("p=tls-server-end-point,,").unwrap();
    let upstream_nonce = format!("{}server", upstream_bare.strip_prefix("n=,r=").unwrap());
    let upstream_challenge = format!("r={upstream_nonce},s={SALT},i=4096");

    let challenge = bridge.challenge(upstream_challenge.as_bytes()).unwrap();
    let nonce = challenge.strip_prefix("r=").unwrap().split(',').next().unwrap();
    assert!(nonce.starts_with("rOprNGfwEbeRWgbNEkqO") && nonce.len() > 40, "{challenge}");
    let binding = encode(&[header.as_bytes(), claimed_end_point].concat());
    let without_proof = format!("c={binding},r={nonce}");
    let message = format!("{},{challenge},{without_proof}", first.bare);
    let proof = xor(&client_key(), &hmac(&stored_key(), &message));
    let client_final = format!("{without_proof},p={}", encode(&proof));

    let upstream_final = bridge.prove(client_final.as_bytes(), verifier)?;
    let upstream_without = upstream_final.split(",p=").next().unwrap();
    let upstream_message = format!("{upstream_bare},{upstream_challenge},{upstream_without}");
    Ok((bridge, upstream_final, message, upstream_message))
}

#[test]
fn the_example_of_the_rfc_is_derived_as_there() {
    let message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
        s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let proof = xor(&client_key(), &hmac(&stored_key(), message));
    assert_eq!(encode(&proof), "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    let signature = encode(&hmac(&server_key(), message));
    assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn a_right_proof_is_passed_on_whether_bound_or_not() {
    for (header, end_point) in
        [("n,,", b"".as_slice()), ("y,,", b""), ("p=tls-server-end-point,,", b"ours")]
    {
        let (bridge, sent, message, upstream_message) =
            proof_for(header, end_point, Some(&verifier())).unwrap();
        let expected = xor(&client_key(), &hmac(&stored_key(), &upstream_message));
        assert!(sent.ends_with(&format!(",p={}", encode(&expected))), "{sent}");
        let binding = encode(b"p=tls-server-end-point,,theirs");
        assert!(sent.starts_with(&format!("c={binding},")), "{sent}");

        let signed = |message: &str| format!("v={}", encode(&hmac(&server_key(), message)));
        let for_client = bridge.sign(signed(&upstream_message).as_bytes()).unwrap();
        assert_eq!(for_client, signed(&message));
        let forged = signed("something else");
        assert_eq!(bridge.sign(forged.as_bytes()), Err(ScramError::Malformed));
    }
}

#[test]
fn without_a_matching_verifier_the_server_gets_a_wrong_proof() {
    let text = |salt: &str, key: &Key| {
        format!("SCRAM-SHA-256$4096:{salt}${}:{}", encode(key), encode(&server_key()))
    };
    let other_salt = Verifier::parse(&text("AAAA", &stored_key())).unwrap();
    let other_password = Verifier::parse(&text(SALT, &[9; 32])).unwrap();
    for verifier in [None, Some(&other_salt), Some(&other_password)] {
        let (bridge, sent, ..) = proof_for("n,,", b"", verifier).unwrap();
        assert!(sent.ends_with(&format!(",p={}", encode(&RANDOM.wrong_proof))), "{sent}");
        assert_eq!(bridge.sign(b"v=AAAA"), Err(ScramError::Malformed));
    }
}

#[test]
fn another_certificate_than_ours_is_noticed() {
    let bound = proof_for("p=tls-server-end-point,,", b"another", Some(&verifier()));
    assert_eq!(bound.unwrap_err(), ScramError::ChannelBinding);
}

#[test]
fn only_verifiers_are_read() {
    let keys = format!("{}:{}", encode(&stored_key()), encode(&server_key()));
    for text in [
        "secret",
        "md55ebe2294ecd0e0f08eab7690d2a6ee69",
        &format!("SCRAM-SHA-1$4096:{SALT}${keys}"),
        &format!("SCRAM-SHA-256$x:{SALT}${keys}"),
        &format!("SCRAM-SHA-256$4096:{SALT}$AAAA:{keys}"),
    ] {
        assert_eq!(Verifier::parse(text), None, "{text}");
    }
    assert_eq!(format!("{:?}", verifier()), "Verifier", "logs tell no secrets");
}

proptest! {
    #[test]
    fn no_message_panics(bytes in "[rscpnvi=,0-9A-Za-z/+]{0,60}") {
        let first = ClientFirst::parse(b"n,,n=,r=x").unwrap();
        let mut bridge = Bridge::new(&first, None, None, RANDOM).unwrap();
        let _ = ClientFirst::parse(bytes.as_bytes());
        let _ = bridge.prove(bytes.as_bytes(), None);
        let _ = bridge.challenge(bytes.as_bytes());
        let _ = bridge.prove(bytes.as_bytes(), None);
        let _ = bridge.sign(bytes.as_bytes());
        let _ = Verifier::parse(&bytes);
    }
}
