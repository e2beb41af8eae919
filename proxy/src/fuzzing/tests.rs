//! The quick version: some thousand inputs, most of them nearly right.

use proptest::collection::vec;
use proptest::prelude::*;

use super::{authentication, backend, frontend, opening, startup};

/// A packet without a tag: its length is right, mostly.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let code = prop_oneof![
        Just([0, 3, 0, 0]),
        Just([0, 3, 0, 2]),
        Just([4, 210, 22, 46]),
        Just([4, 210, 22, 47]),
        Just([4, 210, 22, 48]),
        any::<[u8; 4]>(),
    ];
    let parameter = prop_oneof![
        Just("user\0ada\0".to_owned()),
        Just("PgTrack.Ctx\0spoof\0".to_owned()),
        "options\0[-c pgtrackPGTRACK.=x\\\\ ]{0,40}\0",
        "[a-z_.]{0,8}\0[ -~]{0,8}\0",
    ];
    (code, vec(parameter, 0..5), vec(any::<u8>(), 0..20), any::<bool>()).prop_map(
        |(code, parameters, junk, is_junk)| {
            let body = if is_junk { junk } else { [parameters.concat().into(), vec![0]].concat() };
            let length = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
            [length.as_slice(), &code, &body].concat()
        },
    )
}

/// Messages with a tag, now and then followed by bytes that mean nothing.
fn messages() -> impl Strategy<Value = Vec<u8>> {
    let tag = prop_oneof![prop::sample::select(b"QPBDESHFCpXdcfZTKRNA".to_vec()), any::<u8>()];
    let body = vec(any::<u8>(), 0..50);
    let message = (tag, body.clone()).prop_map(|(tag, body)| {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[tag], length.as_slice(), &body].concat()
    });
    vec(prop_oneof![9 => message, 1 => body], 0..10).prop_map(|messages| messages.concat())
}

proptest! {
    #[test]
    fn connections_open_alike(packets in vec(packets(), 1..4)) {
        opening(&packets.concat());
    }

    #[test]
    fn startup_packets_keep_their_meaning(packet in packets()) {
        startup(&packet);
    }

    #[test]
    fn streams_mean_the_same_however_they_are_split(stream in messages(), cuts in vec(any::<u8>(), 0..9)) {
        frontend(&stream, &cuts);
        backend(&stream, &cuts);
    }

    #[test]
    fn authentication_survives_anything(
        data in "(n,,|y,,|p=tls-server-end-point,,)?(n=,)?[rcspvi=,0-9A-Za-z/+]{0,60}",
        tag in prop::sample::select(b"Rp".to_vec()),
        code in 9_u8..14,
    ) {
        authentication(data.as_bytes());
        let body = [&[0, 0, 0, code], data.as_bytes()].concat();
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        authentication(&[&[tag], length.as_slice(), &body].concat());
    }
}
