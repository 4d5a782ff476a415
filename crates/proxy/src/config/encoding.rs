//! From a config file's bytes to its text.

use super::error::{ConfigError, Problem, Source};

/// Reads a file's bytes as UTF-8, with or without a byte order mark.
///
/// An error shows the text as far as it can be read, by the same rules as any other: what may be a
/// secret is cut.
pub(super) fn decode(name: &str, bytes: Vec<u8>) -> Result<Source, ConfigError> {
    if let Some(text) = utf_16(&bytes) {
        let problem = Problem::new(Some(0..0), "this file is UTF-16; save it as UTF-8");
        return Err(Source::new(name, text).error(vec![problem]));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Source::new(name, text)),
        Err(error) => {
            // Up to the first wrong byte, which a replacement character stands for, both texts are
            // the same.
            let at = error.utf8_error().valid_up_to();
            let text = String::from_utf8_lossy(error.as_bytes());
            let span = at..at + char::REPLACEMENT_CHARACTER.len_utf8();
            let message = "this character is not UTF-8; save the file as UTF-8";
            Err(Source::new(name, &*text).error(vec![Problem::new(Some(span), message)]))
        }
    }
}

/// The text of a file in UTF-16, which starts with a mark or an ASCII character.
fn utf_16(bytes: &[u8]) -> Option<String> {
    let big_endian = match bytes {
        [0xff, 0xfe, ..] | [1..=0x7f, 0, ..] => false,
        [0xfe, 0xff, ..] | [0, 1..=0x7f, ..] => true,
        _ => return None,
    };
    let unit = if big_endian { u16::from_be_bytes } else { u16::from_le_bytes };
    let units = bytes.as_chunks().0.iter().map(|pair| unit(*pair));
    let text = char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER));
    let text: String = text.collect();
    Some(text.trim_start_matches('\u{feff}').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[[route]]\nname = \"Größe\"\npassword = \"hünter2\"\n";

    /// As an old editor saves it.
    fn latin_1(text: &str) -> Vec<u8> {
        text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
    }

    fn error(bytes: Vec<u8>) -> String {
        decode("orepass.toml", bytes).unwrap_err().to_string()
    }

    #[test]
    fn latin_1_is_an_error_at_the_character() {
        assert_eq!(
            error(latin_1(TEXT)),
            "orepass.toml:2:11: this character is not UTF-8; save the file as UTF-8\n 2 | name = \
             \"Gr\u{fffd}\u{fffd}e\"\n   |           ^"
        );
    }

    #[test]
    fn a_secret_in_latin_1_is_not_shown() {
        let secret = error(latin_1(&TEXT.replace("Größe", "hns")));
        assert_eq!(
            secret,
            "orepass.toml:3:14: this character is not UTF-8; save the file as UTF-8\n 3 | password \
             =…\n   |           ^"
        );
    }

    #[test]
    fn utf_16_of_either_order_is_named_with_and_without_a_mark() {
        for (mark, order) in [
            ("\u{feff}", u16::to_le_bytes as fn(u16) -> [u8; 2]),
            ("\u{feff}", u16::to_be_bytes),
            ("", u16::to_le_bytes),
            ("", u16::to_be_bytes),
        ] {
            let encode = |text: &str| -> Vec<u8> {
                format!("{mark}{text}").encode_utf16().flat_map(order).collect()
            };
            assert_eq!(
                error(encode(TEXT)),
                "orepass.toml:1:1: this file is UTF-16; save it as UTF-8\n 1 | [[route]]\n   | ^"
            );
            let secret = error(encode("password = \"hunter2\"\n"));
            assert!(!secret.contains("hunter2"), "{secret}");
        }
    }

    #[test]
    fn utf_8_is_read_as_it_is() {
        for text in ["", "a", TEXT, "\u{feff}a = 1"] {
            assert_eq!(decode("t", text.into()).unwrap().text(), text);
        }
    }

    #[test]
    fn any_bytes_are_an_error_of_a_few_lines() {
        let binary: Vec<u8> = (0..200_000_u32).map(|n| (n * 7 % 251) as u8 | 0x80).collect();
        let shown = error(binary);
        assert!(shown.len() < 2000, "{} bytes", shown.len());
        assert_eq!(shown.lines().count(), 3);
    }
}
