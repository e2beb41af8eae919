//! First packets, whole, in parts, and wrong.

use proptest::prelude::*;

use super::{Encryption, Opening, Step, Violation};

const SSL: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];
const GSSENC: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30];

fn packet(length: u32, code: [u8; 4]) -> Vec<u8> {
    let mut bytes = [length.to_be_bytes(), code].concat();
    bytes.resize(length.clamp(8, 20_000) as usize, 0);
    bytes
}

fn cancel(length: u32) -> Vec<u8> {
    packet(length, [0x04, 0xd2, 0x16, 0x2e])
}

fn first_step(bytes: &[u8]) -> Result<Step, Violation> {
    Opening::new(false).step(bytes)
}

#[test]
fn each_kind_of_packet_is_known_by_its_code() {
    for (bytes, step) in [
        (SSL.to_vec(), Step::Decline { length: 8 }),
        (GSSENC.to_vec(), Step::Decline { length: 8 }),
        (cancel(16), Step::Cancel { length: 16 }),
        (cancel(268), Step::Cancel { length: 268 }),
        (packet(8, [0, 3, 0, 0]), Step::Startup { length: 8 }),
        (packet(10_004, [0, 3, 0, 2]), Step::Startup { length: 10_004 }),
        (packet(9, [0, 4, 0, 0]), Step::Startup { length: 9 }),
    ] {
        assert_eq!(first_step(&bytes), Ok(step));
    }
}

#[test]
fn impossible_lengths_are_refused_as_soon_as_they_are_read() {
    for length in [0, 4, 7, 10_005, 0x7fff_ffff, u32::MAX] {
        assert_eq!(first_step(&length.to_be_bytes()), Err(Violation::PacketLength(length)));
    }
    assert_eq!(first_step(b"GET / HTTP/1.1"), Err(Violation::PacketLength(0x4745_5420)));
    for length in [12, 15, 269] {
        assert_eq!(first_step(&cancel(length)), Err(Violation::CancelLength(length)));
    }
}

#[test]
fn a_tls_record_is_recognised_by_its_first_byte() {
    assert_eq!(first_step(&[0x16]), Err(Violation::DirectTls));
}

#[test]
fn tls_starts_where_it_is_offered() {
    let mut opening = Opening::new(true);
    assert_eq!(opening.step(&GSSENC), Ok(Step::Decline { length: 8 }));
    assert_eq!(opening.step(&[]), Ok(Step::Incomplete));
    assert_eq!(opening.step(&SSL), Ok(Step::StartTls { length: 8 }));
    let startup = packet(8, [0, 3, 0, 0]);
    assert_eq!(opening.step(&startup), Ok(Step::Startup { length: 8 }));
    assert_eq!(Opening::new(true).step(&[0x16]), Ok(Step::StartDirectTls));
}

#[test]
fn within_requested_tls_no_encryption_may_be_asked_for() {
    for (request, encryption) in [(SSL, Encryption::Tls), (GSSENC, Encryption::GssApi)] {
        let mut opening = Opening::new(true);
        opening.step(&SSL).unwrap();
        assert_eq!(opening.step(&request), Err(Violation::Repeated(encryption)));
    }
}

#[test]
fn within_direct_tls_more_encryption_is_declined() {
    let mut opening = Opening::new(true);
    opening.step(&[0x16, 3, 1]).unwrap();
    for request in [SSL, GSSENC] {
        assert_eq!(opening.step(&request), Ok(Step::Decline { length: 8 }));
        assert_eq!(opening.step(&[]), Ok(Step::Incomplete));
    }
    // A second handshake is only a strange length.
    assert_eq!(opening.step(&[0x16, 3, 1, 0]), Err(Violation::PacketLength(0x1603_0100)));
}

#[test]
fn bytes_right_behind_an_accepted_request_are_refused() {
    let stuffed = [SSL.as_slice(), &packet(8, [0, 3, 0, 0])].concat();
    let refused = Err(Violation::UnencryptedData(Encryption::Tls));
    assert_eq!(Opening::new(true).step(&stuffed), refused);
}

#[test]
fn each_encryption_may_be_asked_for_once_in_either_order() {
    for (first, second, encryption) in
        [(SSL, GSSENC, Encryption::Tls), (GSSENC, SSL, Encryption::GssApi)]
    {
        let mut opening = Opening::new(false);
        for request in [first, second] {
            assert_eq!(opening.step(&request), Ok(Step::Decline { length: 8 }));
            assert_eq!(opening.step(&[]), Ok(Step::Incomplete));
        }
        assert_eq!(opening.step(&first), Err(Violation::Repeated(encryption)));
    }
}

#[test]
fn bytes_right_behind_an_encryption_request_are_refused() {
    let mut opening = Opening::new(false);
    opening.step(&SSL).unwrap();
    assert_eq!(opening.step(b"x"), Err(Violation::UnencryptedData(Encryption::Tls)));
}

proptest! {
    #[test]
    fn a_packet_is_taken_only_when_it_is_whole(length in 8u32..=10_004, minor in 0u8..=3) {
        let bytes = packet(length, [0, 3, 0, minor]);
        let mut opening = Opening::new(false);
        for end in 0..bytes.len() {
            prop_assert_eq!(opening.step(&bytes[..end]), Ok(Step::Incomplete));
        }
        prop_assert_eq!(opening.step(&bytes), Ok(Step::Startup { length: bytes.len() }));
    }

    #[test]
    fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let _ = first_step(&bytes);
    }
}
