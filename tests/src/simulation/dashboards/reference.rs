//! A dashboard as plainly as its rules can be said: JSON in maps, read from the log alone, with all that it ever was.

use parlor_protocol::store::Entry;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// A widget in one of its versions.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its value; `None`: it was deleted.
    pub value: Option<Map<String, Value>>,
    /// The fields that this version changed; `None`: all of them.
    pub changed: Option<Vec<String>>,
    /// Who made it.
    pub by: String,
}

/// A dashboard as the log tells it up to some place.
#[derive(Debug, Clone, Default)]
pub struct Reference {
    /// Every version of every widget; the first is version 1.
    pub widgets: BTreeMap<String, Vec<Version>>,
    /// Every layout; the first is version 1.
    pub layouts: Vec<(Value, String)>,
    seq: u64,
}

/// The fields among `names` that changed after version `base`.
pub fn changed_since(versions: &[Version], base: u64, names: &[String]) -> Vec<String> {
    let since = versions.get(base as usize..).unwrap_or_default();
    let changed = |name: &&String| {
        since.iter().any(|version| version.changed.as_ref().is_none_or(|fields| fields.contains(name)))
    };
    names.iter().filter(changed).cloned().collect()
}

impl Reference {
    /// What the first entries say.
    pub fn of(log: &[Entry]) -> Self {
        let mut reference = Self::default();
        log.iter().for_each(|entry| reference.take(entry));
        reference
    }

    /// Takes in the next entry, and holds what has to be true of it.
    pub fn take(&mut self, entry: &Entry) {
        self.seq += 1;
        assert_eq!(entry.seq.0, self.seq, "the places of a log have no gaps");
        let said: Value = serde_json::from_slice(&entry.body).expect("an entry is JSON");
        let by = entry.author.as_str();
        match said["type"].as_str() {
            Some("WIDGET_BATCH") => {
                let before = self.clone();
                let parts = said["operations"].as_array().into_iter().flatten();
                parts.for_each(|part| self.make(part, by, &before));
            }
            Some("SYNC_UPDATE") => {}
            Some(_) => self.make(&said, by, &self.clone()),
            None => panic!("{said} is no entry"),
        }
    }

    /// What somebody has seen is held against what stood `before` the entry: the parts of a batch are one's own.
    fn make(&mut self, said: &Value, by: &str, before: &Self) {
        let version = said["version"].as_u64().expect("a change has a version");
        let base = said["baseVersion"].as_u64();
        let by = by.to_string();
        if let Some(layout) = said.get("layout") {
            let current = self.layouts.len() as u64;
            assert_eq!(version, current + 1, "versions are dense: {said}");
            let seen = before.layouts.len() as u64..=current;
            assert!(base.is_none_or(|base| seen.contains(&base)), "no layout is lost: {said}");
            if let Some(from) = said["from"].as_u64() {
                assert_eq!(self.layouts[from as usize - 1].0, *layout, "an old layout comes back: {said}");
            }
            return self.layouts.push((layout.clone(), by));
        }
        let id = said["widgetId"].as_str().expect("a change of a widget").to_string();
        let others = before.widgets.get(&id).map_or(&[][..], Vec::as_slice);
        let versions = self.widgets.entry(id).or_default();
        let current = versions.len() as u64;
        assert_eq!(version, current + 1, "versions are dense: {said}");
        let Some(changes) = said["changes"].as_object() else {
            let seen = others.len() as u64..=current;
            assert!(base.is_none_or(|base| seen.contains(&base)), "no update is lost in a delete: {said}");
            return versions.push(Version { value: None, changed: None, by });
        };
        let mut names: Vec<String> = changes.keys().cloned().collect();
        if let Some(base) = base {
            let lost = changed_since(others, base, &names);
            assert!(lost.is_empty() && base <= current, "no update is lost: {said} overwrites {lost:?}");
            assert_eq!(said["merged"] == true, base < others.len() as u64, "what is merged says so: {said}");
        }
        let mut value = versions.last().and_then(|last| last.value.clone()).unwrap_or_default();
        // The removal of what is not there changes nothing.
        names.retain(|name| !changes[name].is_null() || value.contains_key(name));
        for (name, change) in changes {
            if change.is_null() {
                value.remove(name);
            } else {
                value.insert(name.clone(), change.clone());
            }
        }
        versions.push(Version { value: Some(value), changed: Some(names), by });
    }

    /// The widgets that there are, with their versions, values and authors; and the layout.
    pub fn state(&self) -> Value {
        let live = self.widgets.iter().filter_map(|(id, versions)| {
            let last = versions.last()?;
            Some((id.clone(), json!([versions.len(), last.value.as_ref()?, last.by])))
        });
        let layout = self.layouts.last().map(|(value, by)| json!([self.layouts.len(), value, by]));
        json!({"widgets": live.collect::<Map<_, _>>(), "layout": layout})
    }
}
