//! What editors write, as updates of Yjs, and what stands in those that they hear: not a document, only whose
//! characters came, from which to which. So a hearer costs next to nothing, and still knows what is missing,
//! repeated or out of order.

/// What an editor writes at once.
pub const INSERT: &str = "abcdefghijklmnopqrstuvwxyz";
/// Where.
pub const ROOT: &str = "text";

/// The structs that are read here, and what else may stand in the byte that says which one comes.
const GC: u8 = 0;
const STRING: u8 = 4;
const SKIP: u8 = 10;
const HAS_ORIGIN: u8 = 0x80;
const HAS_RIGHT_ORIGIN: u8 = 0x40;
const KIND: u8 = 0x1f;

/// Characters that came: of one client, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Written {
    /// Whose.
    pub client: u64,
    /// How many it had written before.
    pub from: u64,
    /// How many.
    pub characters: u64,
}

/// The update of an editor that writes [`INSERT`] behind what it wrote before, for the time with this number.
pub fn insert(client: u64, number: u64) -> Vec<u8> {
    write(client, number * INSERT.len() as u64, INSERT)
}

/// The update of an editor that has written so many characters and writes these behind them.
pub fn write(client: u64, clock: u64, text: &str) -> Vec<u8> {
    let mut update = Vec::with_capacity(text.len() + 32);
    for value in [1, 1, client, clock] {
        number(&mut update, value);
    }
    match clock.checked_sub(1) {
        Some(last) => {
            update.push(STRING | HAS_ORIGIN);
            number(&mut update, client);
            number(&mut update, last);
        }
        None => {
            update.extend([STRING, 1]);
            string(&mut update, ROOT);
        }
    }
    string(&mut update, text);
    update.push(0);
    update
}

/// Shows what was written in an update. `None`: something stands in it that is not written here.
pub fn written(update: &[u8], mut shown: impl FnMut(Written)) -> Option<()> {
    let mut rest = Rest(update);
    for _ in 0..rest.number()? {
        let (structs, client, mut clock) = (rest.number()?, rest.number()?, rest.number()?);
        for _ in 0..structs {
            let kind = rest.byte()?;
            let characters = match kind & KIND {
                GC | SKIP => rest.number()?,
                STRING => rest.text(kind)?,
                _ => return None,
            };
            if kind & KIND != SKIP {
                shown(Written { client, from: clock, characters });
            }
            clock += characters;
        }
    }
    (rest.0 == [0]).then_some(())
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*byte)
    }

    fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for place in 0..8 {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn skip(&mut self, bytes: u64) -> Option<()> {
        self.0 = self.0.get(usize::try_from(bytes).ok()?..)?;
        Some(())
    }

    /// The text of a struct; nobody here writes others than those of ASCII, so that a byte is a character.
    fn text(&mut self, kind: u8) -> Option<u64> {
        for mark in [HAS_ORIGIN, HAS_RIGHT_ORIGIN] {
            if kind & mark != 0 {
                self.number()?;
                self.number()?;
            }
        }
        if kind & (HAS_ORIGIN | HAS_RIGHT_ORIGIN) == 0 {
            match self.byte()? {
                1 => {
                    let name = self.number()?;
                    self.skip(name)?;
                }
                _ => return None,
            }
        }
        let length = self.number()?;
        self.skip(length)?;
        Some(length)
    }
}

fn number(bytes: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn string(bytes: &mut Vec<u8>, text: &str) {
    number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use yrs::updates::decoder::Decode;
    use yrs::{Doc, GetString, ReadTxn, StateVector, Text, Transact, Update};

    fn all(update: &[u8]) -> Option<Vec<Written>> {
        let mut all = Vec::new();
        written(update, |one| all.push(one)).map(|()| all)
    }

    #[test]
    fn an_insert_is_the_update_that_yrs_writes_for_it() {
        let doc = Doc::with_client_id(300);
        let text = doc.get_or_insert_text(ROOT);
        for number in 0..20 {
            let mut transaction = doc.transact_mut();
            text.push(&mut transaction, INSERT);
            assert_eq!(transaction.encode_update_v1(), insert(300, number));
        }
    }

    #[test]
    fn an_update_says_whose_characters_came() {
        let own = |client, from, characters| Written { client, from, characters };
        assert_eq!(all(&insert(300, 0)), Some(vec![own(300, 0, 26)]));
        assert_eq!(all(&insert(300, 9)), Some(vec![own(300, 234, 26)]));
        let doc = Doc::new();
        let text = doc.get_or_insert_text(ROOT);
        for update in [insert(1, 0), insert(2, 0), insert(1, 1)] {
            let update = Update::decode_v1(&update).expect("an update");
            doc.transact_mut().apply_update(update).expect("it fits");
        }
        let state = doc.transact().encode_state_as_update_v1(&StateVector::default());
        assert_eq!(all(&state), Some(vec![own(2, 0, 26), own(1, 0, 52)]));
        assert_eq!(text.get_string(&doc.transact()), INSERT.repeat(3));
    }

    #[test]
    fn what_nobody_here_writes_is_not_read() {
        let mut update = insert(1, 0);
        assert_eq!(all(&update[..update.len() - 1]), None);
        update.push(0);
        assert_eq!(all(&update), None);
        let map = [1, 1, 1, 0, 8, 1, 1, b'a', 1, 126, 0];
        assert_eq!(all(&map), None);
    }
}
