//! Texts that come with a resource, which FHIR packs as Base64 (RFC 4648).

use serde_json::Value;

use super::element::{list, text};

/// The text of the first attachment that has one; `None` if all are pictures, or elsewhere.
pub(super) fn plain_text<'a>(attachments: impl Iterator<Item = &'a Value>) -> Option<String> {
    let plain = attachments.filter(|attachment| {
        text(&attachment["contentType"]).is_none_or(|kind| kind.to_ascii_lowercase().starts_with("text/plain"))
    });
    let mut texts = plain.filter_map(|attachment| decode(text(&attachment["data"])?));
    texts.find_map(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.trim().is_empty())
}

/// The attachments of a document's contents.
pub(super) fn of_contents(resource: &Value) -> impl Iterator<Item = &Value> {
    list(&resource["content"]).iter().map(|content| &content["attachment"])
}

/// What Base64 stands for; `None` if it is none. Line breaks in it are passed over, filling at the end may be left out.
pub(super) fn decode(packed: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(packed.len() / 4 * 3);
    let (mut bits, mut held) = (0_u32, 0);
    let mut signs = packed.bytes().filter(|byte| !byte.is_ascii_whitespace());
    let mut last = None;
    for sign in signs.by_ref() {
        let value = match sign {
            b'A'..=b'Z' => sign - b'A',
            b'a'..=b'z' => sign - b'a' + 26,
            b'0'..=b'9' => sign - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            b'=' => {
                last = Some(sign);
                break;
            }
            _ => return None,
        };
        bits = (bits << 6) | u32::from(value);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    // What is left over are zeros of the last byte; a single sign of four says nothing.
    let filled = last.is_none() || signs.all(|sign| sign == b'=');
    (bits == 0 && held < 6 && filled).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_of_the_standard() {
        // RFC 4648, section 10.
        for (packed, plain) in
            [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYg==", "foob"), ("Zm9v\nYmFy", "foobar")]
        {
            assert_eq!(decode(packed).unwrap(), plain.as_bytes(), "{packed}");
        }
        assert_eq!(decode("Zm8").unwrap(), b"fo");
        for wrong in ["Z", "Zm9vY", "Zm9*", "Zm8=x", "Zh=="] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
