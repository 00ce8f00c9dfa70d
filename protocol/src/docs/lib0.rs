//! Reading and writing the numbers, strings and values of lib0, the encoding below Yjs.
//!
//! Nothing here recurses or allocates by a length that it read: a length is compared with what is left first.

use std::ops::Range;

/// How deep arrays and maps in a value may nest.
pub(super) const DEPTH_MAX: usize = 32;
/// The largest number there is: what JavaScript counts exactly.
pub(super) const NUMBER_MAX: u64 = (1 << 53) - 1;

/// About how many bytes of memory a value takes, a map besides, and an entry of one besides.
const VALUE_WEIGHT: usize = 40;
const MAP_WEIGHT: usize = 80;
const MAP_ENTRY_WEIGHT: usize = 80;

/// Reads from the front of some bytes.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How much was read.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// What was read since it was there.
    pub(super) fn since(&self, start: usize) -> &'a [u8] {
        &self.bytes[start..self.at]
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Whether the same stands in both places.
    pub(super) fn is_same(&self, one: &Range<usize>, other: &Range<usize>) -> bool {
        self.bytes.get(one.clone()) == self.bytes.get(other.clone())
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        let byte = self.bytes.get(self.at).ok_or_else(|| self.ends())?;
        self.at += 1;
        Ok(*byte)
    }

    /// The next byte, which stays.
    pub(super) fn peek(&self) -> Result<u8, String> {
        self.bytes.get(self.at).copied().ok_or_else(|| self.ends())
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], String> {
        let fits = usize::try_from(count).ok().filter(|count| *count <= self.left());
        let count = fits.ok_or_else(|| self.ends())?;
        self.at += count;
        Ok(&self.bytes[self.at - count..self.at])
    }

    /// A number, written as short as it can be.
    pub(super) fn number(&mut self) -> Result<u64, String> {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if number > NUMBER_MAX || shift > 49 {
                return Err(format!("a number over {NUMBER_MAX}"));
            }
            if byte < 0x80 {
                let minimal = byte != 0 || shift == 0;
                return minimal
                    .then_some(number)
                    .ok_or_else(|| "a number longer than it need be".to_string());
            }
            shift += 7;
        }
    }

    /// A number that is at most this.
    pub(super) fn number_within(&mut self, what: &str, most: u64) -> Result<u64, String> {
        let number = self.number()?;
        match number <= most {
            true => Ok(number),
            false => Err(format!("{what} of {number} is over the limit of {most}")),
        }
    }

    /// How many entries follow, of so many bytes each at least.
    pub(super) fn count(&mut self, what: &str, entry_bytes_min: usize) -> Result<u64, String> {
        let count = self.number()?;
        let most = (self.left() / entry_bytes_min) as u64;
        match count <= most {
            true => Ok(count),
            false => Err(format!("{count} {what} are over the {most} that {} bytes can hold", self.left())),
        }
    }

    pub(super) fn string(&mut self) -> Result<&'a str, String> {
        let length = self.number()?;
        std::str::from_utf8(self.take(length)?).map_err(|_| "a string that is no UTF-8".to_string())
    }

    pub(super) fn buffer(&mut self) -> Result<&'a [u8], String> {
        let length = self.number()?;
        self.take(length)
    }

    /// Passes over one value; says about how much memory it takes besides its text.
    pub(super) fn value(&mut self) -> Result<usize, String> {
        // How many values are still to come on each level, and whether keys stand before them.
        let mut open: Vec<(u64, bool)> = Vec::new();
        let mut weight = 0;
        loop {
            weight += VALUE_WEIGHT;
            match self.byte()? {
                120 | 121 | 126 | 127 => {}
                125 => self.integer()?,
                124 => self.take(4).map(drop)?,
                123 => self.take(8).map(drop)?,
                119 => self.string().map(drop)?,
                116 => self.buffer().map(drop)?,
                kind @ (117 | 118) => {
                    let is_map = kind == 118;
                    let count = self.count("values", 1 + usize::from(is_map))?;
                    let each = if is_map { MAP_ENTRY_WEIGHT } else { 0 };
                    weight += if is_map { MAP_WEIGHT } else { 0 } + count as usize * each;
                    if open.len() == DEPTH_MAX {
                        return Err(format!("a value nested deeper than {DEPTH_MAX}"));
                    }
                    open.push((count, is_map));
                }
                122 => return Err("a big integer, which is not kept".to_string()),
                kind => return Err(format!("a value of the unknown kind {kind}")),
            }
            while open.last().is_some_and(|(left, _)| *left == 0) {
                open.pop();
            }
            let Some((left, is_map)) = open.last_mut() else { return Ok(weight) };
            *left -= 1;
            if *is_map {
                self.string()?;
            }
        }
    }

    /// A signed number within 53 bits.
    fn integer(&mut self) -> Result<(), String> {
        let first = self.byte()?;
        let (mut number, mut shift, mut byte) = (u64::from(first & 0x3f), 6, first);
        while byte >= 0x80 {
            byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if number > NUMBER_MAX || shift > 48 {
                return Err(format!("a number over {NUMBER_MAX}"));
            }
            if byte == 0 {
                return Err("a number longer than it need be".to_string());
            }
            shift += 7;
        }
        Ok(())
    }

    pub(super) fn end(&self) -> Result<(), String> {
        match self.left() {
            0 => Ok(()),
            left => Err(format!("{left} bytes after its end")),
        }
    }

    fn ends(&self) -> String {
        format!("its {} bytes end too early", self.bytes.len())
    }
}

pub(super) fn write_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

pub(super) fn write_buffer(out: &mut Vec<u8>, buffer: &[u8]) {
    write_number(out, buffer.len() as u64);
    out.extend_from_slice(buffer);
}
