//! Every story in `transcripts/`, played three times: by the core alone, whose text is compared with the
//! snapshot, and by both servers over real sockets, where every step must go as it went in the core. Both are recorded,
//! and their recordings replayed.
//! `STORY=chat` plays only those whose name begins so; `INSTA_UPDATE=always` writes snapshots anew.

use insta::{Settings, assert_snapshot};
use parlor_tests::transcript::{CoreWorld, Played, SocketWorld, Story, play, replay};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

/// How many stories are played at a time in one world.
const AT_A_TIME: usize = 2;

#[test]
fn the_core_alone_plays_every_story_as_its_snapshot_says() {
    each_story("the core", |story| {
        let played = in_the_core(story)?;
        let mut settings = Settings::clone_current();
        settings.set_snapshot_path(folder().join("snapshots"));
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        settings.bind(|| assert_snapshot!(story.name.as_str(), played.text()));
        Ok(())
    });
}

#[test]
fn parlor_plays_every_story_like_the_core() {
    each_story("parlor", |story| over_sockets(story, "parlor"));
}

#[test]
fn parlor_threads_plays_every_story_like_the_core() {
    each_story("parlor-threads", |story| over_sockets(story, "parlor-threads"));
}

#[test]
fn every_snapshot_has_its_story_and_every_story_its_snapshot() {
    let names = |folder: &Path, extension: &str| -> BTreeSet<String> {
        files(folder, extension)
            .iter()
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_string()))
            .collect()
    };
    assert_eq!(names(&folder(), "txt"), names(&folder().join("snapshots"), "snap"));
}

fn in_the_core(story: &Story) -> Result<Played, String> {
    play(story, &mut CoreWorld::new(story)?)
}

fn over_sockets(story: &Story, binary: &'static str) -> Result<(), String> {
    match story.core_only {
        Some(_) => Ok(()),
        None => {
            let mut world = SocketWorld::new(story, binary)?;
            replay(story, &mut world, &in_the_core(story)?)?;
            world.replay_recordings()
        }
    }
}

/// Plays all stories, some at a time because most of it is waiting, and fails with the names of those that went
/// wrong.
fn each_story(world: &str, test: impl Fn(&Story) -> Result<(), String> + Sync) {
    let chosen = std::env::var("STORY").unwrap_or_default();
    let mut paths = files(&folder(), "txt");
    paths.retain(|path| name_of(path).starts_with(&chosen));
    assert!(!paths.is_empty(), "no story in {} begins with {chosen:?}", folder().display());
    let (left, played) = (Mutex::new(paths.iter()), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(path) = next(&left) {
                    let result = one_story(path, &test);
                    played.lock().expect("nobody panics with it").insert(name_of(path), result);
                }
            });
        }
    });
    let mut failed = Vec::new();
    for (name, result) in played.into_inner().expect("nobody panics with it") {
        match result {
            Ok(()) => println!("{world}: {name} ok"),
            Err(why) => {
                println!("{world}: {name} FAILED\n{why}\n");
                failed.push(name);
            }
        }
    }
    assert!(failed.is_empty(), "{world} fails {}: {}", failed.len(), failed.join(", "));
}

fn next<'a>(left: &Mutex<std::slice::Iter<'a, PathBuf>>) -> Option<&'a PathBuf> {
    left.lock().expect("nobody panics with it").next()
}

fn one_story(path: &Path, test: &impl Fn(&Story) -> Result<(), String>) -> Result<(), String> {
    let result = catch_unwind(AssertUnwindSafe(|| Story::read(path).and_then(|story| test(&story))));
    result.unwrap_or_else(|panic| Err(message(panic.as_ref())))
}

fn name_of(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_string())).unwrap_or_default()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("transcripts")
}

/// The files of a folder with this extension, in order.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let listed = fs::read_dir(folder).map_or_else(|_| Vec::new(), |entries| entries.flatten().collect());
    let mut paths: Vec<_> = listed.iter().map(fs::DirEntry::path).collect();
    paths.retain(|path| path.extension().is_some_and(|known| known == extension));
    paths.sort();
    paths
}
