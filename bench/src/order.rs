//! What each thing that is heard tells of its place: the mark in its body, which names its sender and its number,
//! and the `seq` that our servers give it.

/// The longest mark: `#SSS:NNNNNNNNNN`.
const MARK_BYTES: usize = 15;

/// The mark of a sender's message with this number, to begin a body with.
pub fn mark(voice: usize, number: u32) -> String {
    format!("#{voice:03}:{number:010}")
}

/// The sender and the number of a mark; nothing else on the wire has a `#`.
pub fn marked(text: &[u8]) -> Option<(usize, u32)> {
    let at = memchr::memchr(b'#', text)?;
    let mark = std::str::from_utf8(text.get(at + 1..at + MARK_BYTES)?).ok()?;
    Some((mark[..3].parse().ok()?, mark[4..].parse().ok()?))
}

/// The last `seq` that a member was told, and the last under which it was answered.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seqs {
    told: u64,
    answered: u64,
}

impl Seqs {
    /// Entries come in the order of their `seq`, and none after an answer that stands behind it. What is wrong
    /// about this one, if something is; a text without a `seq` is in order.
    pub fn look_at(&mut self, text: &[u8], is_answer: bool) -> Result<(), String> {
        let Some(seq) = seq(text) else { return Ok(()) };
        let Self { told, answered } = *self;
        *(if is_answer { &mut self.answered } else { &mut self.told }) = seq;
        match seq > answered && (is_answer || seq > told) {
            true => Ok(()),
            false => Err(format!("seq {seq} after {told}, and an answer at {answered}")),
        }
    }
}

fn seq(text: &[u8]) -> Option<u64> {
    const NAME: &[u8] = b"\"seq\":";
    let at = memchr::memmem::find(text, NAME)?;
    let digits = text[at + NAME.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    Some(digits.fold(0, |seq, digit| seq * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_wherever_it_stands() {
        assert_eq!(mark(7, 42), "#007:0000000042");
        assert_eq!(marked(br##"42["m",{"id":"#007:0000000042"}]"##), Some((7, 42)));
        assert_eq!(marked(b"#007:000000004"), None);
        assert_eq!(marked(b"nothing"), None);
    }

    #[test]
    fn an_answer_may_come_late_but_nothing_before_it_may() {
        let mut seqs = Seqs::default();
        assert_eq!(seqs.look_at(br#"{"seq":1,"a":9}"#, false), Ok(()));
        assert_eq!(seqs.look_at(br#"{"seq":3}"#, false), Ok(()));
        assert_eq!(seqs.look_at(br#"{"seq":2}"#, true), Ok(()));
        assert_eq!(seqs.look_at(br#"{}"#, true), Ok(()));
        let late = Err("seq 2 after 3, and an answer at 2".to_string());
        assert_eq!(seqs.look_at(br#"{"seq":2}"#, false), late);
    }
}
