//! How lib0, on which Yjs is built, writes numbers, strings and arrays.

use super::Malformed;

/// The largest number: what JavaScript counts exactly, 2^53 - 1.
pub const VAR_UINT_MAX: u64 = (1 << 53) - 1;
/// How many bytes a number takes at the most.
const VAR_UINT_BYTES_MAX: u32 = 8;

/// Reads from the front of some bytes. What it returns are slices of them.
#[derive(Debug, Clone)]
pub struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Reads from the beginning of `bytes`.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// How many bytes are left.
    pub fn left(&self) -> usize {
        self.0.len()
    }

    /// A number: seven bits in each byte, the lowest first; the high bit says that more follow.
    pub fn var_uint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for place in 0..VAR_UINT_BYTES_MAX {
            let Some((byte, rest)) = self.0.split_first() else {
                return Err(Malformed::new("a number that does not end"));
            };
            self.0 = rest;
            value |= u64::from(byte & 0x7f) << (7 * place);
            if byte & 0x80 == 0 {
                return match value <= VAR_UINT_MAX {
                    true => Ok(value),
                    false => {
                        Err(Malformed::new(format!("number {value} is over the limit of {VAR_UINT_MAX}")))
                    }
                };
            }
        }
        Err(Malformed::new(format!("a number of over {VAR_UINT_BYTES_MAX} bytes")))
    }

    /// Bytes behind their length.
    pub fn var_uint8_array(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.var_uint()?;
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let Some((array, rest)) = split else {
            return Err(Malformed::new(format!("array of {length} bytes, but {} are left", self.left())));
        };
        self.0 = rest;
        Ok(array)
    }

    /// Text behind its length in bytes.
    pub fn var_string(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.var_uint8_array()?).map_err(|_| Malformed::new("a string that is not UTF-8"))
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), Malformed> {
        match self.left() {
            0 => Ok(()),
            left => Err(Malformed::new(format!("{left} bytes behind the message"))),
        }
    }
}

/// Writes a number, which is at most [`VAR_UINT_MAX`].
pub fn write_var_uint(bytes: &mut Vec<u8>, mut value: u64) {
    debug_assert!(value <= VAR_UINT_MAX, "number {value} is over the limit of {VAR_UINT_MAX}");
    while value > 0x7f {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Writes bytes behind their length.
pub fn write_var_uint8_array(bytes: &mut Vec<u8>, array: &[u8]) {
    bytes.reserve(array.len() + VAR_UINT_BYTES_MAX as usize);
    write_var_uint(bytes, array.len() as u64);
    bytes.extend_from_slice(array);
}

/// Writes text behind its length in bytes.
pub fn write_var_string(bytes: &mut Vec<u8>, text: &str) {
    write_var_uint8_array(bytes, text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(bytes: &[u8]) -> Result<u64, String> {
        let mut reader = Reader::new(bytes);
        let value = reader.var_uint().map_err(|malformed| malformed.why)?;
        assert_eq!(reader.left(), 0);
        Ok(value)
    }

    #[test]
    fn numbers_are_those_of_lib0() {
        for (value, spelled) in [
            (0, &[0][..]),
            (127, &[0x7f]),
            (128, &[0x80, 0x01]),
            (16_384, &[0x80, 0x80, 0x01]),
            (u64::from(u32::MAX), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
            (VAR_UINT_MAX, &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut written = Vec::new();
            write_var_uint(&mut written, value);
            assert_eq!((&written[..], number(spelled)), (spelled, Ok(value)));
        }
        assert_eq!(number(&[0x80, 0x00]), Ok(0), "longer than needed, as lib0 takes it");
    }

    #[test]
    fn a_number_that_javascript_could_not_count_is_refused() {
        let over = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10];
        let why = "number 9007199254740992 is over the limit of 9007199254740991";
        assert_eq!(number(&over), Err(why.to_string()));
        let long = [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00];
        assert_eq!(number(&long), Err("a number of over 8 bytes".to_string()));
        assert_eq!(number(&[0x80]), Err("a number that does not end".to_string()));
    }

    #[test]
    fn strings_are_utf_8_behind_their_length() {
        let mut written = Vec::new();
        write_var_string(&mut written, "é😀");
        assert_eq!(written, [6, 0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80]);
        let mut reader = Reader::new(&written);
        assert_eq!((reader.var_string(), reader.end()), (Ok("é😀"), Ok(())));
        let half = Reader::new(&[1, 0xc3]).var_string();
        assert_eq!(half, Err(Malformed::new("a string that is not UTF-8")));
    }

    #[test]
    fn a_length_beyond_the_bytes_that_are_there_is_refused() {
        let bomb = [0x80, 0xc2, 0xd7, 0x2f, 1, 2];
        let refused = Reader::new(&bomb).var_uint8_array();
        assert_eq!(refused, Err(Malformed::new("array of 100000000 bytes, but 2 are left")));
    }
}
