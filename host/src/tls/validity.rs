//! Until when a certificate is good: the one thing that is read of it here (RFC 5280 §4.1), for the log and the metrics.

use std::time::UNIX_EPOCH;

/// Tags of DER (X.690 §8.1.2).
const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// When a certificate in DER ends, in seconds since 1970; `None` for what cannot be read.
pub(super) fn expiry(certificate: &[u8]) -> Option<u64> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut fields, _) = element(certificate, SEQUENCE)?;
    if let Some((_, behind)) = element(fields, VERSION) {
        fields = behind;
    }
    // The serial number, the algorithm and the issuer.
    for tag in [INTEGER, SEQUENCE, SEQUENCE] {
        fields = element(fields, tag)?.1;
    }
    let (validity, _) = element(fields, SEQUENCE)?;
    let (_, _, not_after) = next(validity)?;
    let (tag, text, _) = next(not_after)?;
    time(tag, text)
}

/// The content of the first element, if it has this tag, and what stands behind it.
fn element(bytes: &[u8], wanted: u8) -> Option<(&[u8], &[u8])> {
    next(bytes).filter(|(tag, ..)| *tag == wanted).map(|(_, content, behind)| (content, behind))
}

/// The first element: its tag, its content, and what stands behind it.
fn next(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [tag, first, rest @ ..] = bytes else { return None };
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| (length << 8) | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((*tag, content, behind))
}

/// A time as certificates write it, without fractions and in UTC: 491231235959Z or 20501231235959Z.
fn time(tag: u8, text: &[u8]) -> Option<u64> {
    let text = str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let year_digits = match tag {
        UTC_TIME => 2,
        GENERALIZED_TIME => 4,
        _ => return None,
    };
    let (year, rest) = text.split_at_checked(year_digits)?;
    let century = match year {
        _ if tag == GENERALIZED_TIME => "",
        year if year < "50" => "20",
        _ => "19",
    };
    if rest.len() != 10 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| &rest[at..at + 2];
    let written = format!("{century}{year}-{}-{}T{}:{}:{}Z", part(0), part(2), part(4), part(6), part(8));
    let time = humantime::parse_rfc3339(&written).ok()?;
    time.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_read_in_both_ways_of_writing_it() {
        let key = rcgen::KeyPair::generate().unwrap();
        for (year, seconds) in [(2_030, 1_909_180_800), (2_049, 2_508_796_800), (2_050, 2_540_332_800)] {
            let mut params = rcgen::CertificateParams::new(vec!["localhost".to_string()]).unwrap();
            params.not_before = rcgen::date_time_ymd(2_020, 1, 1);
            params.not_after = rcgen::date_time_ymd(year, 7, 2);
            let made = params.self_signed(&key).unwrap();
            assert_eq!(expiry(made.der()), Some(seconds), "{year}");
        }
        assert_eq!(time(UTC_TIME, b"990101000000Z"), Some(915_148_800));
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_read_or_not_but_never_panics() {
        let made = rcgen::generate_simple_self_signed(["localhost".to_string()]).unwrap();
        let whole = made.cert.der();
        let validity_ends = 160;
        for length in 0..validity_ends.min(whole.len()) {
            assert_eq!(expiry(&whole[..length]), None, "a length that is not there");
            for byte in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.to_vec();
                changed[length] = byte;
                let _: Option<u64> = expiry(&changed);
            }
        }
        for wrong in [
            &b"20500231235959Z"[..],
            b"2050123123595Z",
            b"+0500101000000Z",
            b"20500101000000+0100",
            "ö00101000000Z".as_bytes(),
        ] {
            assert_eq!(time(GENERALIZED_TIME, wrong), None, "{wrong:?}");
        }
    }
}
