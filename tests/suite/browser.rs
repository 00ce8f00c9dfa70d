//! The console in Chromium, against both servers: the tests in `tests/browser`, run by Node.

use parlor_host::trial;
use parlor_protocol::auth::Keys;
use parlor_protocol::time::Timestamp;
use parlor_tests::process::{BINARIES, Folder, Process, beside_the_test};
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;
use std::{env, fs};

const TESTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");
/// How many tests there are at least.
const TESTS_MIN: u32 = 84;
const CHROMIUM: &str = "/usr/bin/chromium";
const HOW_TO_HAVE_IT: &str = "`tests/run` installs what the browser tests need";

/// A person of the trial, as the server itself would let it in.
fn token(folder: &Folder, id: &str) -> String {
    let kept = fs::read_to_string(folder.path().join("parlor.db.secret")).expect("a trial keeps its secret");
    let secret = kept.lines().next().expect("the first line is the secret");
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    let person = trial::PEOPLE.iter().find(|person| person.id == id).expect("one of the trial");
    trial::token(secret.as_bytes(), &person.claims(&Keys::default(), Timestamp(now.as_micros() as u64)))
}

/// The key for backends, which a trial keeps in the second line.
fn service_key(folder: &Folder) -> String {
    let kept = fs::read_to_string(folder.path().join("parlor.db.secret")).expect("a trial keeps its secret");
    kept.lines().nth(1).expect("the second line is the key").to_string()
}

#[test]
fn people_go_through_every_place_of_the_console_in_chromium_on_both_servers() {
    let chromium = env::var("PARLOR_CHROMIUM").unwrap_or_else(|_| CHROMIUM.to_string());
    assert!(Path::new(&chromium).exists(), "there is no {chromium}; {HOW_TO_HAVE_IT}");
    let library = Path::new(TESTS).join("node_modules/playwright-core");
    assert!(library.exists(), "{} is missing; {HOW_TO_HAVE_IT}", library.display());
    for binary in BINARIES {
        let folder = Folder::new();
        let process = Process::start(binary, &folder, &[]);
        let mut node = Command::new("node");
        node.args(["--test", "--test-reporter=tap"]).current_dir(TESTS);
        node.env("PARLOR_URL", format!("http://{}", process.address()))
            .env("PARLOR_BIN", beside_the_test(binary))
            .env("PARLOR_TOKEN_ADA", token(&folder, "ada"))
            .env("PARLOR_TOKEN_BEN", token(&folder, "ben"))
            .env("PARLOR_SERVICE_KEY", service_key(&folder))
            .env("PARLOR_TEMPLATE", "trip-report")
            .env("PARLOR_ROOM", "lobby")
            .env("PARLOR_CHROMIUM", &chromium);
        if let Ok(shots) = env::var("PARLOR_SHOTS") {
            node.env("PARLOR_SHOTS", Path::new(&shots).join(binary));
        }
        let output = node.output().unwrap_or_else(|error| panic!("node: {error}; {HOW_TO_HAVE_IT}"));
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{binary}: {told}\nthe server's log:\n{}", folder.log());
        let passed = told.lines().find_map(|line| line.strip_prefix("# pass ")?.parse::<u32>().ok());
        assert!(passed.is_some_and(|passed| passed >= TESTS_MIN), "{binary}: {told}");
    }
}
