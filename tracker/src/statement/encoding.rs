//! Client encodings; manual, "Character Set Support".

use std::borrow::Cow;

use encoding_rs::Encoding;

/// How the bytes of a session's texts are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientEncoding(Option<&'static Encoding>);

impl ClientEncoding {
    /// UTF-8.
    pub const UTF8: Self = Self(Some(encoding_rs::UTF_8));

    /// Reads the value of `client_encoding`.
    ///
    /// Of an encoding that is not known here (`MULE_INTERNAL`, `JOHAB`, `EUC_TW`), only texts in ASCII are
    /// understood. `SQL_ASCII` says nothing about other bytes; they count as UTF-8.
    pub fn named(name: &str) -> Self {
        let name = name.to_ascii_uppercase().replace(['_', '-'], "");
        let label = match name.as_str() {
            "UTF8" | "UNICODE" | "SQLASCII" => "utf-8",
            "LATIN1" | "ISO88591" | "WIN1252" => "windows-1252",
            "LATIN2" | "ISO88592" => "iso-8859-2",
            "LATIN3" | "ISO88593" => "iso-8859-3",
            "LATIN4" | "ISO88594" => "iso-8859-4",
            "LATIN5" | "ISO88599" | "WIN1254" => "windows-1254",
            "LATIN6" | "ISO885910" => "iso-8859-10",
            "LATIN7" | "ISO885913" => "iso-8859-13",
            "LATIN8" | "ISO885914" => "iso-8859-14",
            "LATIN9" | "ISO885915" => "iso-8859-15",
            "LATIN10" | "ISO885916" => "iso-8859-16",
            "ISO88595" => "iso-8859-5",
            "ISO88596" => "iso-8859-6",
            "ISO88597" => "iso-8859-7",
            "ISO88598" => "iso-8859-8",
            "WIN866" | "ALT" => "ibm866",
            "WIN874" => "windows-874",
            "WIN1250" => "windows-1250",
            "WIN1251" | "WIN" => "windows-1251",
            "WIN1253" => "windows-1253",
            "WIN1255" => "windows-1255",
            "WIN1256" => "windows-1256",
            "WIN1257" => "windows-1257",
            "WIN1258" | "ABC" | "TCVN" | "TCVN5712" | "VSCII" => "windows-1258",
            "KOI8R" | "KOI8" => "koi8-r",
            "KOI8U" => "koi8-u",
            "EUCJP" | "EUCJIS2004" => "euc-jp",
            "SJIS" | "MSKANJI" | "SHIFTJIS" | "WIN932" | "WINDOWS932" | "SHIFTJIS2004" => {
                "shift_jis"
            }
            "EUCKR" | "UHC" | "WIN949" | "WINDOWS949" => "euc-kr",
            "EUCCN" | "GBK" | "WIN936" | "WINDOWS936" => "gbk",
            "GB18030" => "gb18030",
            "BIG5" | "WIN950" | "WINDOWS950" => "big5",
            _ => return Self(None),
        };
        Self(Encoding::for_label(label.as_bytes()))
    }

    /// Reads a text; `None` if it is not in this encoding, or the encoding is not known here.
    pub fn decode(self, bytes: &[u8]) -> Option<Cow<'_, str>> {
        // Whatever the encoding, a text without high bytes is ASCII.
        if bytes.is_ascii() {
            return str::from_utf8(bytes).ok().map(Cow::Borrowed);
        }
        self.0?.decode_without_bom_handling_and_without_replacement(bytes)
    }
}
