//! Messages there and back, and messages that are none.

use proptest::prelude::*;

use super::{Demand, InitialResponse, SCRAM, SCRAM_PLUS, message_length, response, response_data};

#[test]
fn a_list_of_mechanisms_is_read_and_written() {
    let message = b"R\0\0\0\x2aX\0\0".as_slice();
    assert_eq!(Demand::parse(message), Demand::Other);
    let demand = Demand::Sasl(vec![SCRAM_PLUS, SCRAM]);
    let message = demand.encode();
    assert_eq!(
        message.escape_ascii().to_string(),
        b"R\0\0\0\x2a\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0".escape_ascii().to_string()
    );
    assert_eq!(message_length(&message), Some(message.len()));
    assert_eq!(Demand::parse(&message), demand);
}

#[test]
fn the_steps_of_a_mechanism_are_read_and_written() {
    for demand in [Demand::Continue(b"r=x"), Demand::Final(b"v=y")] {
        assert_eq!(Demand::parse(&demand.encode()), demand);
    }
    let initial = InitialResponse { mechanism: SCRAM, data: b"n,,n=,r=x" };
    assert_eq!(InitialResponse::parse(&initial.encode()), Some(initial));
    assert_eq!(response_data(&response(b"c=x")), Some(b"c=x".as_slice()));
}

#[test]
fn other_messages_are_not_mistaken() {
    for other in [b"R\0\0\0\x08\0\0\0\0".as_slice(), b"R\0\0\0\x0c\0\0\0\x05salt", b"E\0\0\0\x05\0"]
    {
        assert_eq!(Demand::parse(other), Demand::Other);
    }
    assert_eq!(InitialResponse::parse(b"p\0\0\0\x0bsecret\0"), None);
    assert_eq!(InitialResponse::parse(b"p\0\0\0\x0aX\0\xff\xff\xff\xff"), None);
}

proptest! {
    #[test]
    fn no_input_panics(bytes in proptest::collection::vec(any::<u8>(), 0..64), tag in "[Rp]") {
        let message = [tag.as_bytes(), &bytes].concat();
        let _ = Demand::parse(&message);
        let _ = InitialResponse::parse(&message);
        let _ = (response_data(&message), message_length(&message));
    }
}
