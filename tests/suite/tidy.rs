//! The house rules that no compiler checks: how long files and functions are, which words and shortcuts do not
//! occur, and that every file says what it is for. Each rule is shown a file that breaks it, too.

use std::fs;
use std::path::Path;

/// The longest file of product code, and the longest function, in lines.
const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;
/// The most lines that a driver has.
const DRIVER_LINES_MAX: usize = 599;
const DRIVERS: [&str; 2] = ["runtime-smol/src/", "runtime-sync/src/"];
/// Folders that hold nothing of ours.
const FOREIGN: [&str; 4] = ["target", ".git", "node_modules", "corpus"];
/// Names that say nothing.
const EMPTY_WORDS: [&str; 7] = ["utils", "util", "helpers", "helper", "manager", "common", "misc"];
/// What is not written in any code, and what is not written outside of tests besides.
const NOWHERE: [&str; 5] = ["todo!", "unimplemented!", "#[ignore", "let _ =", "dbg!"];
const NOT_IN_PRODUCT: [&str; 1] = [".unwrap()"];
/// What is not written in any comment either.
const PROMISES: [&str; 3] = ["TODO", "FIXME", "XXX"];

/// A file, read for the rules.
struct Source {
    path: String,
    text: String,
    /// The text with comments and the insides of literals left out.
    code: String,
}

impl Source {
    fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_string(), text: text.to_string(), code: bare(text) }
    }

    fn is_test(&self) -> bool {
        let folders: Vec<_> = self.path.split('/').collect();
        folders.contains(&"tests") || folders.contains(&"fuzz") || folders.last() == Some(&"tests.rs")
    }

    /// Its code without test modules.
    fn product(&self) -> String {
        if self.is_test() {
            return String::new();
        }
        let mut kept = Vec::new();
        let mut lines = self.code.lines();
        while let Some(line) = lines.next() {
            if line.trim() == "#[cfg(test)]" && lines.clone().next().is_some_and(|next| next.ends_with('{')) {
                let end = format!("{}}}", indent(line));
                lines.by_ref().find(|line| *line == end);
            } else {
                kept.push(line);
            }
        }
        kept.join("\n")
    }
}

fn indent(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// A file's code without its comments and without what stands in its literals; lines stay lines.
fn bare(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let literal = rest.starts_with('"')
            || is_raw(rest) && !code.ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if literal {
            code.push_str("\"\"");
            literal_length(rest)
        } else if let Some(length) = character_length(rest) {
            code.push_str("' '");
            length
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.extend(rest[..length].chars().filter(|c| *c == '\n'));
        rest = &rest[length..];
    }
    code
}

fn is_raw(rest: &str) -> bool {
    rest.strip_prefix('r').is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
}

fn literal_length(rest: &str) -> usize {
    if let Some(raw) = rest.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let end = format!("\"{}", "#".repeat(hashes));
        return raw[hashes + 1..].find(&end).map_or(rest.len(), |at| 1 + hashes + 1 + at + end.len());
    }
    let mut escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            '"' if !escaped => return at + 1,
            _ => escaped = character == '\\' && !escaped,
        }
    }
    rest.len()
}

/// How long the character is that begins here; a lifetime is none.
fn character_length(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    let end = match first {
        '\\' => inside[2..].find('\'')? + 2,
        _ => first.len_utf8(),
    };
    inside[end..].starts_with('\'').then_some(end + 2)
}

fn too_long(source: &Source) -> Vec<String> {
    let count = source.product().lines().count();
    match count > FILE_LINES_MAX {
        true => vec![format!("{count} lines are over the limit of {FILE_LINES_MAX}")],
        false => Vec::new(),
    }
}

fn long_functions(source: &Source) -> Vec<String> {
    let product = source.product();
    let lines: Vec<_> = product.lines().collect();
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = name_after(line, "fn ") else { continue };
        let end = format!("{}}}", indent(line));
        let length = lines[at..].iter().position(|line| *line == end).map_or(1, |length| length + 1);
        if length > FUNCTION_LINES_MAX && !line.ends_with(';') {
            found.push(format!("fn {name}: {length} lines are over the limit of {FUNCTION_LINES_MAX}"));
        }
    }
    found
}

/// The name that is declared after this word.
fn name_after<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let at = line.find(word).filter(|at| line[..*at].is_empty() || line[..*at].ends_with([' ', '(']))?;
    let name = &line[at + word.len()..];
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
    (end > 0).then(|| &name[..end])
}

fn empty_names(source: &Source) -> Vec<String> {
    let stem = source.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
    let declared = source.code.lines().flat_map(|line| {
        ["fn ", "mod ", "struct ", "enum ", "trait ", "type "]
            .iter()
            .filter_map(|word| name_after(line, word))
    });
    let empty = |name: &&str| words(name).iter().any(|word| EMPTY_WORDS.contains(&word.as_str()));
    declared.chain([stem]).filter(empty).map(|name| format!("{name} says nothing")).collect()
}

/// The words of a name, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for character in name.chars() {
        if character == '_' || character.is_uppercase() {
            words.push(String::new());
        }
        words
            .last_mut()
            .expect("there is one at least")
            .extend(character.to_lowercase().filter(|c| *c != '_'));
    }
    words
}

fn shortcuts(source: &Source) -> Vec<String> {
    let product = source.product();
    let anywhere = NOWHERE.iter().filter(|word| source.code.contains(**word));
    let in_product = NOT_IN_PRODUCT.iter().filter(|word| product.contains(**word));
    anywhere.chain(in_product).map(|word| format!("has {word}")).collect()
}

fn promises(source: &Source) -> Vec<String> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let comments = source.text.lines().filter_map(|line| line.find("//").map(|at| &line[at..]));
    let words = comments.chain(source.code.lines()).flat_map(|text| text.split(|c| !is_word(c)));
    words.filter(|word| PROMISES.contains(word)).map(|word| format!("has {word}")).collect()
}

fn untold(source: &Source) -> Vec<String> {
    match source.text.trim().is_empty() {
        true => vec!["is empty".to_string()],
        false if source.path.ends_with("tests.rs") || source.path.contains("/tests/") => Vec::new(),
        false if source.text.starts_with("//! ") => Vec::new(),
        false => vec!["does not begin with a paragraph about what it is for".to_string()],
    }
}

type Rule = fn(&Source) -> Vec<String>;

/// Every rule, and a file that breaks it.
fn rules() -> [(Rule, &'static str, String); 11] {
    let long = format!("//! X.\nfn long() {{\n{}}}\n", "    work();\n".repeat(FUNCTION_LINES_MAX));
    [
        (too_long, "host/src/x.rs", "//! X.\n".to_string() + &"const A: u8 = 1;\n".repeat(FILE_LINES_MAX)),
        (long_functions, "host/src/x.rs", long),
        (empty_names, "host/src/chat_utils.rs", "//! X.".to_string()),
        (empty_names, "host/src/x.rs", "pub struct RoomManager;".to_string()),
        (empty_names, "host/src/x.rs", "    pub(super) fn helper() {}".to_string()),
        (shortcuts, "host/src/x.rs", "fn x() { y().unwrap() }".to_string()),
        (shortcuts, "tests/suite/x.rs", "#[test]\n#[ignore = \"slow\"]\nfn x() {}".to_string()),
        (shortcuts, "host/src/x.rs", "fn x() { let _ = y(); }".to_string()),
        (promises, "host/src/x.rs", format!("// {}: more", PROMISES[0])),
        (untold, "host/src/x.rs", "use std::io;".to_string()),
        (untold, "host/src/tests.rs", "\n".to_string()),
    ]
}

/// Every file of Rust in the house.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the workspace");
    let (mut folders, mut sources) = (vec![root.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("it can be read") {
            let path = entry.expect("it can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !FOREIGN.contains(&name.as_str()) {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let shown = path.strip_prefix(root).expect("it lies in the workspace").to_string_lossy();
                sources.push(Source::new(&shown, &fs::read_to_string(&path).expect("it is text")));
            }
        }
    }
    sources
}

#[test]
fn every_rule_finds_what_breaks_it() {
    for (rule, path, text) in rules() {
        let found = rule(&Source::new(path, &text));
        assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
    }
    // At its limit, in a test, in a literal or in a comment nothing is wrong.
    let inside = "//! X.\nfn x() { y(\".unwrap()\", '\"', r#\"let _ =\"#) }\n// .unwrap()\n\
        #[cfg(test)]\nmod tests {\n    fn x() { y().unwrap() }\n}\n";
    let (lines, most) = ("//! X.\n".to_string(), FILE_LINES_MAX - 1);
    for text in [inside, &(lines + &"const A: u8 = 1;\n".repeat(most))] {
        let source = Source::new("host/src/x.rs", text);
        let found: Vec<_> = rules().iter().flat_map(|(rule, ..)| rule(&source)).collect();
        assert!(found.is_empty(), "{text}: {found:?}");
    }
}

#[test]
fn the_house_is_tidy() {
    let sources = sources();
    assert!(sources.len() > 100, "only {} files were found", sources.len());
    let rules: [Rule; 6] = [too_long, long_functions, empty_names, shortcuts, promises, untold];
    let mut found = Vec::new();
    for source in &sources {
        let broken = rules.iter().flat_map(|rule| rule(source));
        found.extend(broken.map(|broken| format!("{}: {broken}", source.path)));
    }
    for driver in DRIVERS {
        let lines: usize = sources
            .iter()
            .filter(|source| source.path.starts_with(driver))
            .map(|source| source.product().lines().count())
            .sum();
        assert!(lines > 0, "there is no {driver}");
        if lines > DRIVER_LINES_MAX {
            found.push(format!("{driver}: {lines} lines are over the limit of {DRIVER_LINES_MAX}"));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}
