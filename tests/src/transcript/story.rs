//! A story as a file holds it: prose, a header, and steps.

use super::deed::Deed;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How much real time one step may take where sockets are played.
const REAL_WAIT_MS_MAX: u128 = 2_000;

/// A story.
#[derive(Debug, Clone)]
pub struct Story {
    /// Its file, without folder and extension.
    pub name: String,
    /// Flags of the server without their dashes, and their values; `ai=service` is the story's own.
    pub settings: Vec<(String, String)>,
    /// Why only the core can play it.
    pub core_only: Option<String>,
    /// Whether joins and leaves are shown where they are told; else they are left out everywhere.
    pub presence: bool,
    /// What the tokens of people say who are not those that every story knows.
    pub users: BTreeMap<String, Value>,
    /// What is there before the story begins.
    pub given: Vec<Step>,
    /// What happens.
    pub steps: Vec<Step>,
}

/// One line that does something.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where it stands.
    pub line: usize,
    /// As it stands there.
    pub text: String,
    /// For the how manieth time, from 1, and how often in all.
    pub time: (u32, u32),
}

impl Story {
    /// Reads a story. The error names the file and the line.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(name, &text).map_err(|(line, why)| format!("{}:{line}: {why}", path.display()))
    }

    fn parse(name: String, text: &str) -> Result<Self, (usize, String)> {
        let mut story = Self {
            name,
            settings: Vec::new(),
            core_only: None,
            presence: false,
            users: BTreeMap::new(),
            given: Vec::new(),
            steps: Vec::new(),
        };
        if !text.starts_with("# ") {
            return Err((1, "a story begins with '# ' and what it shows".to_string()));
        }
        for (line, text) in (1..).zip(text.lines()) {
            story.take(line, text.trim_end()).map_err(|why| (line, why))?;
        }
        if story.steps.is_empty() {
            return Err((1, "nothing happens in this story".to_string()));
        }
        Ok(story)
    }

    fn take(&mut self, line: usize, text: &str) -> Result<(), String> {
        if text.is_empty() || text.starts_with('#') {
            return Ok(());
        }
        match text.split_once(": ").filter(|(word, _)| !word.contains(['{', '<', '>', '/'])) {
            Some((word, _)) if word == "ai" || word.ends_with("x ai") => self.take_steps(line, text),
            None => self.take_steps(line, text),
            Some(_) if !self.steps.is_empty() => Err("the header stands before the first step".to_string()),
            Some((word, rest)) => self.take_header(line, word, rest),
        }
    }

    fn take_header(&mut self, line: usize, word: &str, rest: &str) -> Result<(), String> {
        let mut given = |target: String, body: &str| {
            self.given.push(Step { line, text: format!("PUT {target} as service {body}"), time: (1, 1) });
        };
        match word.split_once(' ').unwrap_or((word, "")) {
            ("settings", "") => {
                for setting in rest.split_whitespace() {
                    let (key, value) = setting.split_once('=').ok_or("a setting is written key=value")?;
                    self.settings.push((key.to_string(), value.to_string()));
                }
            }
            ("core-only", "") => self.core_only = Some(rest.to_string()),
            ("presence", "") if rest == "shown" => self.presence = true,
            ("user", name) if !name.is_empty() => {
                let claims = serde_json::from_str(rest).map_err(|error| error.to_string())?;
                self.users.insert(name.to_string(), claims);
            }
            ("template", id) if !id.is_empty() => given(format!("/api/admin/templates/{id}"), rest),
            ("room", id) if !id.is_empty() => given(format!("/api/admin/rooms/chat/{id}"), rest),
            ("members", id) if !id.is_empty() => rest.split_whitespace().for_each(|user| {
                given(format!("/api/admin/rooms/chat/{id}/members/{user}"), r#"{"role":"member"}"#);
            }),
            ("project", id) if !id.is_empty() => given(format!("/api/admin/rooms/project/{id}"), rest),
            (role @ ("facilitators" | "storytellers"), id) if !id.is_empty() => {
                let body = format!(r#"{{"role":"{}"}}"#, role.trim_end_matches('s'));
                for user in rest.split_whitespace() {
                    given(format!("/api/admin/rooms/project/{id}/members/{user}"), &body);
                }
            }
            (kind @ ("dashboard" | "draft"), id) if !id.is_empty() => {
                given(format!("/api/admin/rooms/{kind}/{id}"), rest);
            }
            (role @ ("editors" | "viewers" | "draft-editors" | "draft-viewers"), id) if !id.is_empty() => {
                let (kind, role) =
                    role.strip_prefix("draft-").map_or(("dashboard", role), |role| ("draft", role));
                let body = format!(r#"{{"role":"{}"}}"#, role.trim_end_matches('s'));
                for user in rest.split_whitespace() {
                    given(format!("/api/admin/rooms/{kind}/{id}/members/{user}"), &body);
                }
            }
            _ => return Err(format!("the header knows no {word:?}")),
        }
        Ok(())
    }

    /// `60x > ada …` is sixty steps, in which `<#>` counts from 1.
    fn take_steps(&mut self, line: usize, text: &str) -> Result<(), String> {
        let times = text.split_once("x ").and_then(|(count, text)| Some((count.parse::<u32>().ok()?, text)));
        let (count, text) = times.unwrap_or((1, text));
        (1..=count)
            .try_for_each(|time| self.take_step(line, &text.replace("<#>", &time.to_string()), (time, count)))
    }

    fn take_step(&mut self, line: usize, text: &str, time: (u32, u32)) -> Result<(), String> {
        // When it is performed, a token stands there, which is one word.
        let deed = Deed::parse(&text.replace("<token ", "<token-"))?;
        if self.core_only.is_none() {
            if let Deed::Wait(wait) = deed
                && wait.as_millis() > REAL_WAIT_MS_MAX
            {
                return Err(format!("over {REAL_WAIT_MS_MAX} ms pass: only the core can play this"));
            }
            if let Deed::Store(_) = deed {
                return Err("only the core's store has faults".to_string());
            }
        }
        self.steps.push(Step { line, text: text.to_string(), time });
        Ok(())
    }

    /// The value of a setting, if the header gives one.
    pub fn setting(&self, key: &str) -> Option<&str> {
        self.settings.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    /// The flags of a server that plays this story; `ai` is where its AI service is.
    pub fn flags(&self, ai: Option<&str>) -> Vec<String> {
        let own = ["ai", "service-key"];
        let mut flags: Vec<String> = Vec::new();
        for (key, value) in self.settings.iter().filter(|(key, _)| !own.contains(&key.as_str())) {
            flags.extend([format!("--{key}"), value.clone()]);
        }
        flags.extend(["--jwt-secret", super::people::JWT_SECRET].map(String::from));
        if self.setting("service-key") != Some("none") {
            flags.extend(["--service-api-key", super::people::SERVICE_KEY].map(String::from));
        }
        if let Some(ai) = ai.filter(|_| self.has_ai()) {
            flags.extend(["--ai-service-url", ai].map(String::from));
        }
        flags
    }

    /// Whether an AI service asks the questions.
    pub fn has_ai(&self) -> bool {
        self.setting("ai") == Some("service")
    }

    /// Whether silence is counted: then nothing but the story may break it.
    pub fn counts_silence(&self) -> bool {
        self.setting("heartbeat-interval").is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> (usize, String) {
        Story::parse("s".into(), text).expect_err("a bad story")
    }

    #[test]
    fn an_error_names_its_line() {
        assert_eq!(error("no prose").0, 1);
        assert_eq!(error("# Title\n\n? what\n").0, 3);
        assert_eq!(error("# Title\n> ada {}\nsettings: echo=true\n").0, 3);
        let (line, why) = error("# Title\n\n@ +30s\n");
        assert_eq!((line, why.as_str()), (3, "over 2000 ms pass: only the core can play this"));
    }

    #[test]
    fn the_header_sets_settings_people_and_what_is_given() {
        let text = "# Title\nsettings: echo=true ai=service\nroom team: {\"name\":\"Team\"}\nmembers team: gil\n\
            user zoe: {\"sub\":\"zoe\"}\n\n+ zoe /chat\n";
        let story = Story::parse("s".into(), text).expect("a good story");
        assert_eq!(story.setting("echo"), Some("true"));
        assert!(story.has_ai() && story.users.contains_key("zoe"));
        let given: Vec<_> = story.given.iter().map(|step| step.text.as_str()).collect();
        assert_eq!(
            given,
            [
                r#"PUT /api/admin/rooms/chat/team as service {"name":"Team"}"#,
                r#"PUT /api/admin/rooms/chat/team/members/gil as service {"role":"member"}"#,
            ]
        );
        assert_eq!(story.steps[0].line, 7);
    }
}
