//! docs/threats.md names the tests that show what it says. They are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace").to_owned()
}

/// What stands between backquotes in a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The tests that a page names: a file of a story, or a file and what stands in it.
fn named(page: &str) -> BTreeSet<&str> {
    let is_story = |name: &str| name.starts_with("tests/transcripts/") && name.ends_with(".txt");
    let is_test = |name: &&str| name.contains("::") || is_story(name);
    quoted(page).filter(is_test).collect()
}

/// Why a test that is named is none.
fn missing(name: &str) -> Option<String> {
    let (file, test) = name.split_once("::").unwrap_or((name, ""));
    let path = root().join(file);
    let Ok(text) = fs::read_to_string(&path) else { return Some(format!("{name}: there is no {file}")) };
    let is_there = match path.extension().and_then(|kind| kind.to_str()) {
        Some("rs") => declares(&text, test),
        Some("mjs") => !test.is_empty() && text.contains(&format!("test('{test}'")),
        // A story that the core plays alone says so, and shows nothing of the servers.
        Some("txt") => test.is_empty() && !text.lines().any(|line| line.starts_with("core-only")),
        _ => false,
    };
    (!is_there).then(|| format!("{name}: it is not in {file}"))
}

/// Whether a test of this name stands in the text.
fn declares(text: &str, test: &str) -> bool {
    let mut lines = text.lines();
    while lines.by_ref().any(|line| line.trim() == "#[test]") {
        let line = lines.find(|line| line.trim_start().starts_with("fn "));
        if line.is_some_and(|line| line.trim_start().starts_with(&format!("fn {test}("))) {
            return true;
        }
    }
    false
}

#[test]
fn every_test_that_the_page_names_is_there() {
    let page = fs::read_to_string(root().join("docs/threats.md")).expect("there is docs/threats.md");
    let names = named(&page);
    assert!(names.len() > 60, "only {} tests are named", names.len());
    let missing: Vec<_> = names.iter().filter_map(|name| missing(name)).collect();
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    // Every row of a table says what shows it.
    let rows = page.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| ---"));
    for row in rows.filter(|row| !row.starts_with("| what comes")) {
        assert!(quoted(row).any(|name| names.contains(name)), "no test is named in: {row}");
    }
}

#[test]
fn every_test_of_this_suite_is_named_on_the_page() {
    let page = fs::read_to_string(root().join("docs/threats.md")).expect("there is docs/threats.md");
    let folder = root().join("tests/suite/threats");
    for entry in fs::read_dir(&folder).expect("it can be read") {
        let path = entry.expect("it can be read").path();
        let file = path.file_name().expect("a file").to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).expect("it is text");
        let mut lines = text.lines();
        while lines.by_ref().any(|line| line.trim() == "#[test]") {
            let line = lines.next().unwrap_or_default();
            let test = line.trim_start_matches("fn ").split('(').next().unwrap_or_default();
            let name = format!("`tests/suite/threats/{file}::{test}`");
            assert!(file == "page.rs" || page.contains(&name), "docs/threats.md does not name {name}");
        }
    }
}

#[test]
fn a_test_that_is_not_there_is_missed() {
    for name in [
        "tests/suite/threats/page.rs::no_such_test",
        "tests/suite/threats/page.rs::declares",
        "tests/suite/threats/no_such_file.rs::a_test",
        "tests/transcripts/no_such_story.txt",
        "tests/clients/polling.test.mjs::no such test",
        "docs/threats.md::a_test",
    ] {
        assert!(missing(name).is_some(), "{name}");
    }
    let there = "tests/suite/threats/page.rs::a_test_that_is_not_there_is_missed";
    assert_eq!(missing(there), None);
    assert_eq!(named(&format!("| x | `{there}`, `CONNECTIONS_MAX` |")), BTreeSet::from([there]));
}
