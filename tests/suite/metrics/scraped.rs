//! What a server prints, read back.

use parlor_tests::wire::Wire;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The samples of one scrape, by name and labels.
pub struct Scraped {
    pub text: String,
    samples: BTreeMap<String, f64>,
}

impl Scraped {
    /// Asks a server on this machine.
    pub fn of(address: SocketAddr) -> Self {
        let mut wire = Wire::connect(address);
        let request = format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n\r\n");
        wire.write(request.as_bytes()).expect("it is taken");
        let (head, body) = wire.read_response();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert!(head.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{head}");
        let text = String::from_utf8(body).expect("it is text");
        let samples = text.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let (sample, value) = line.rsplit_once(' ').expect("a name and a number");
            (sample.to_string(), value.parse().expect("a number"))
        });
        Self { samples: samples.collect(), text }
    }

    /// The number behind this name and these labels.
    pub fn get(&self, sample: &str) -> f64 {
        *self.samples.get(sample).unwrap_or_else(|| panic!("there is no {sample} in {}", self.text))
    }

    /// All that is counted under this name, under whatever labels.
    pub fn sum(&self, name: &str) -> f64 {
        let ours = self.samples.iter().filter(|(sample, _)| sample.split('{').next() == Some(name));
        ours.map(|(_, value)| value).sum()
    }

    /// Every name that a sample has, and of histograms the one that its samples share.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let shared = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
        self.samples.keys().filter_map(|sample| sample.split('{').next()).chain(shared)
    }
}
