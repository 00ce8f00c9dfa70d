//! UTF-8 as it comes in, so that a byte with which no text goes on is found when it comes (RFC 3629 §4).

/// How many bytes are looked at together where all is ASCII.
const STRIDE: usize = 8;
/// The highest bit of every byte of a stride.
const NOT_ASCII: u64 = 0x8080_8080_8080_8080;

/// Where in a text one is.
#[derive(Debug, Clone, Copy, Default)]
pub struct Utf8 {
    /// How many bytes of the character are still to come.
    left: u8,
    /// What the next of them may be, at least and at most.
    low: u8,
    high: u8,
}

impl Utf8 {
    /// Takes in bytes that stand masked in a frame; `at` is how much of the frame's payload stood before them.
    /// False: no text goes on like this.
    pub fn take_masked(&mut self, bytes: &[u8], mask: [u8; 4], at: usize) -> bool {
        let mut turned = [0; STRIDE];
        turned.iter_mut().enumerate().for_each(|(place, byte)| *byte = mask[(at + place) % 4]);
        let whole = u64::from_ne_bytes(turned);
        bytes.chunks(STRIDE).all(|chunk| match <[u8; STRIDE]>::try_from(chunk) {
            Ok(chunk) if self.left == 0 && (u64::from_ne_bytes(chunk) ^ whole) & NOT_ASCII == 0 => true,
            Ok(_) | Err(_) => chunk.iter().zip(turned).all(|(byte, mask)| self.take(byte ^ mask)),
        })
    }

    fn take(&mut self, byte: u8) -> bool {
        if self.left > 0 {
            let goes_on = (self.low..=self.high).contains(&byte);
            (self.left, self.low, self.high) = (self.left - 1, 0x80, 0xbf);
            return goes_on;
        }
        (self.left, self.low, self.high) = match byte {
            0..=0x7f => (0, 0, 0),
            0xc2..=0xdf => (1, 0x80, 0xbf),
            0xe0 => (2, 0xa0, 0xbf),
            0xed => (2, 0x80, 0x9f),
            0xe1..=0xef => (2, 0x80, 0xbf),
            0xf0 => (3, 0x90, 0xbf),
            0xf1..=0xf3 => (3, 0x80, 0xbf),
            0xf4 => (3, 0x80, 0x8f),
            _ => return false,
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How much of the bytes could still become text, as the standard library has it.
    fn good(bytes: &[u8]) -> usize {
        match std::str::from_utf8(bytes) {
            Ok(_) => bytes.len(),
            // What is only cut short could go on.
            Err(error) if error.error_len().is_none() => bytes.len(),
            Err(error) => (error.valid_up_to()..bytes.len())
                .find(|at| {
                    std::str::from_utf8(&bytes[..=*at]).is_err_and(|error| error.error_len().is_some())
                })
                .expect("there is a first byte that is impossible"),
        }
    }

    #[test]
    fn every_run_of_up_to_four_bytes_at_the_edges_is_judged_as_the_standard_library_does() {
        let edges = [
            0x00, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xec, 0xed, 0xee,
            0xef, 0xf0, 0xf3, 0xf4, 0xf5, 0xff,
        ];
        let count = edges.len();
        for number in 0..count.pow(4) {
            let bytes: Vec<u8> = (0..4).map(|place| edges[number / count.pow(place) % count]).collect();
            let mut text = Utf8::default();
            let taken = bytes.iter().take_while(|byte| text.take(**byte)).count();
            assert_eq!(taken, good(&bytes), "{bytes:02x?}");
        }
    }

    #[test]
    fn the_mask_and_the_pieces_do_not_matter() {
        let text = "plain ASCII that is long enough, κόσμε, 🦀 and plain again for a while".as_bytes();
        let mask = [0x5a, 0x93, 0xc1, 0x0f];
        let masked: Vec<u8> = text.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        for size in 1..masked.len() {
            let mut state = Utf8::default();
            let mut pieces = masked.chunks(size).enumerate();
            assert!(pieces.all(|(at, piece)| state.take_masked(piece, mask, at * size)));
        }
        let mut broken = masked;
        broken[20] ^= 0x80;
        assert!(!Utf8::default().take_masked(&broken, mask, 0));
    }
}
