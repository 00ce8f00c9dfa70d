//! Byte sequences at every edge of UTF-8 (RFC 3629 §3 and §4), on this side of it and beyond.

/// Text.
pub fn valid() -> Vec<Vec<u8>> {
    let edges = [
        0x00, 0x7f, 0x80, 0x7ff, 0x800, 0xd7ff, 0xe000, 0xfdd0, 0xfdef, 0xfffd, 0xfffe, 0xffff, 0x1_0000,
        0x10_fffd,
    ];
    // The last two of every plane are no characters and still text.
    let planes = (1..=16).flat_map(|plane| [plane << 16 | 0xfffe, plane << 16 | 0xffff]);
    let edges = edges.into_iter().chain(planes).filter_map(char::from_u32).map(String::from);
    let words = ["", "Hello-µ@ßöäüàá-UTF-8!!", "κόσμε", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 🦀", "\u{feff}begins with a mark"];
    edges.chain(words.map(String::from)).map(String::into_bytes).collect()
}

/// What is not text, each for one reason.
pub fn invalid() -> Vec<Vec<u8>> {
    let groups = [
        lone_continuations(),
        lone_beginnings(),
        cut_short(),
        impossible_bytes(),
        longer_than_needed(),
        surrogates(),
        above_the_last(),
    ];
    groups.concat()
}

fn lone_continuations() -> Vec<Vec<u8>> {
    let runs = (1..=7).map(|count| [0x80, 0xbf].repeat(4)[..count].to_vec());
    runs.chain([vec![0xbf], (0x80..=0xbf).collect()]).collect()
}

fn lone_beginnings() -> Vec<Vec<u8>> {
    let beginnings = [0xc2..=0xdf, 0xe0..=0xef, 0xf0..=0xf4].into_iter().flatten();
    beginnings.flat_map(|byte: u8| [vec![byte], vec![byte, b' ']]).collect()
}

fn cut_short() -> Vec<Vec<u8>> {
    let cut: [&[u8]; 8] = [
        &[0xe0, 0xa0],
        &[0xef, 0xbf],
        &[0xf0, 0x90],
        &[0xf0, 0x90, 0x80],
        &[0xf4, 0x8f],
        &[0xf4, 0x8f, 0xbf],
        &[0xdf],
        &[0xce, 0xba, 0xe1, 0xbd],
    ];
    let together = cut.concat();
    cut.into_iter().map(<[u8]>::to_vec).chain([together]).collect()
}

fn impossible_bytes() -> Vec<Vec<u8>> {
    let bytes = [0xc0, 0xc1].into_iter().chain(0xf5..=0xff);
    bytes.map(|byte: u8| vec![byte]).chain([vec![0xfe, 0xfe, 0xff, 0xff]]).collect()
}

fn longer_than_needed() -> Vec<Vec<u8>> {
    let slash_and_nul = [0xaf, 0x80].into_iter().flat_map(|last: u8| {
        [
            vec![0xc0, last],
            vec![0xe0, 0x80, last],
            vec![0xf0, 0x80, 0x80, last],
            vec![0xf8, 0x80, 0x80, 0x80, last],
            vec![0xfc, 0x80, 0x80, 0x80, 0x80, last],
        ]
    });
    let largest = [vec![0xc1, 0xbf], vec![0xe0, 0x9f, 0xbf], vec![0xf0, 0x8f, 0xbf, 0xbf]];
    slash_and_nul.chain(largest).collect()
}

fn surrogates() -> Vec<Vec<u8>> {
    let (high, low) =
        ([[0xa0, 0x80], [0xad, 0xbf], [0xae, 0x80], [0xaf, 0xbf]], [[0xb0, 0x80], [0xbf, 0xbf]]);
    let alone = high.iter().chain(&low).map(|[second, third]| vec![0xed, *second, *third]);
    let pairs = high.iter().flat_map(|[a, b]| low.iter().map(|[c, d]| vec![0xed, *a, *b, 0xed, *c, *d]));
    alone.chain(pairs).collect()
}

fn above_the_last() -> Vec<Vec<u8>> {
    vec![
        vec![0xf4, 0x90, 0x80, 0x80],
        vec![0xf7, 0xbf, 0xbf, 0xbf],
        vec![0xf8, 0x88, 0x80, 0x80, 0x80],
        vec![0xfb, 0xbf, 0xbf, 0xbf, 0xbf],
        vec![0xfc, 0x84, 0x80, 0x80, 0x80, 0x80],
        vec![0xfd, 0xbf, 0xbf, 0xbf, 0xbf, 0xbf],
    ]
}
