//! Randomness of the operating system: for the core's seed and for secrets.

use rustix::rand::{GetRandomFlags, getrandom};
use std::io;

/// 32 bytes that nobody can guess.
pub fn draw() -> io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    let mut filled = 0;
    while filled < seed.len() {
        match getrandom(&mut seed[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_draws_differ() {
        assert_ne!(draw().unwrap(), draw().unwrap());
    }
}
