//! Texts in other encodings than UTF-8.

use pgtrack_tracker::statement::{ClientEncoding, Opaque, Text, analyze};

use crate::render::render;

fn rendered(encoding: &str, bytes: &[u8]) -> String {
    let encoding = ClientEncoding::named(encoding);
    render(&analyze(&Text { bytes: bytes.into(), encoding, ..Text::utf8("") }))
}

#[test]
fn texts_are_read_in_the_encoding_of_their_session() {
    let calls = |text: &str| format!("SELECT\n  names pgtrack.tag()\n  calls tag({text:?})");
    assert_eq!(rendered("LATIN1", b"SELECT pgtrack.tag('gr\xf6\xdfe')"), calls("größe"));
    assert_eq!(rendered("iso-8859-1", b"SELECT pgtrack.tag('gr\xf6\xdfe')"), calls("größe"));
    assert_eq!(rendered("WIN1251", b"SELECT pgtrack.tag('\xcf\xf0')"), calls("Пр"));
    assert_eq!(rendered("EUC_JP", b"SELECT pgtrack.tag('\xc6\xfc')"), calls("日"));
    assert_eq!(rendered("LATIN9", b"SELECT pgtrack.tag('\xa4')"), calls("€"));
}

/// In Shift JIS, Big5 and GBK the second byte of a character may be a backslash or a letter.
#[test]
fn a_backslash_within_a_character_is_none() {
    // 表 is 0x95 0x5C.
    let sjis = b"SELECT E'\x95\x5c', pgtrack.tag('\x95\x5c')";
    assert_eq!(rendered("SJIS", sjis), "SELECT\n  names pgtrack.tag()\n  calls tag(\"表\")");
    // 功 is 0xA5 0x5C.
    let big5 = b"DELETE FROM t WHERE a = E'\xa5\x5c'";
    assert_eq!(rendered("BIG5", big5), "DELETE\n  writes t (DELETE)");
}

#[test]
fn bytes_that_an_encoding_does_not_have_are_opaque() {
    let opaque = format!("opaque: {:?}", Opaque::Encoding);
    assert_eq!(rendered("UTF8", b"SELECT '\xc3'"), opaque);
    assert_eq!(rendered("SJIS", b"SELECT '\xfd'"), opaque);
    assert_eq!(rendered("MULE_INTERNAL", b"SELECT '\x81\xf6'"), opaque);
    assert_eq!(rendered("MULE_INTERNAL", b"SELECT 'ascii'"), "SELECT");
    assert_eq!(rendered("no such encoding", b"SELECT '\xc3\xa4'"), opaque);
}
