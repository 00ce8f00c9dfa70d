use super::*;
use parlor_protocol::action::Action;
use parlor_protocol::auth::Keys;
use parlor_protocol::settings::Settings;
use std::fs;
use std::io::BufReader;
use std::os::unix::fs::PermissionsExt;
use std::sync::mpsc::{Receiver, channel};

struct Bench {
    folder: tempfile::TempDir,
    recorder: Recorder,
    logged: Receiver<Record>,
}

fn bench(bytes_max: u64) -> Bench {
    let folder = tempfile::tempdir().expect("the disk takes a folder");
    let (log, logged) = channel();
    let header = Header::new("parlor", Timestamp(1), [1; 32], Settings::default());
    let told = Box::new(move |record| log.send(record).unwrap_or_default());
    let recorder = Recorder::start(
        (&folder.path().join("a"), bytes_max),
        &header,
        Hider::new([2; 32], &Keys::default()),
        told,
    );
    Bench { folder, recorder: recorder.expect("the folder is empty"), logged }
}

fn contents(path: &Path) -> Vec<Content> {
    let mut file = BufReader::new(File::open(path).expect("it is there"));
    Header::read(&mut file).expect("it has its first line");
    let mut contents = Vec::new();
    while let Next::Content(content) = read_next(&mut file).expect("it is not damaged") {
        contents.push(*content);
    }
    contents
}

#[test]
fn facts_are_written_in_order_with_their_actions_until_the_server_ends() {
    let Bench { folder, recorder, logged } = bench(1 << 20);
    for now in 1..=3 {
        let input = recorder.copy(&Input::Tick).expect("it records");
        recorder.take(Timestamp(now), input, &vec![Action::Drained; now as usize]);
    }
    recorder.close();
    assert_eq!(recorder.copy(&Input::Tick), None);
    let path = folder.path().join("a");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let drained = digest(&Action::Drained, |_| {}).unwrap();
    let step = |now: u64| {
        let actions = vec![drained; now as usize];
        Content::Step { now: Timestamp(now), input: Input::Tick, actions }
    };
    assert_eq!(contents(&path), [step(1), step(2), step(3), Content::End("the server ended".into())]);
    let said: Vec<_> = logged.try_iter().map(|record| record.action).collect();
    assert_eq!(said, ["record.started", "record.stopped"]);
}

#[test]
fn at_its_limit_a_file_says_so_and_takes_no_more() {
    let Bench { folder, recorder, logged } = bench(4_096);
    let mut taken = 0;
    while let Some(input) = recorder.copy(&Input::Tick) {
        recorder.take(Timestamp(taken), input, &Vec::new());
        taken += 1;
        thread::sleep(Duration::from_millis(1));
        assert!(taken < 10_000, "it never ends");
    }
    recorder.close();
    let path = folder.path().join("a");
    assert!(fs::metadata(&path).unwrap().len() <= 4_096);
    let contents = contents(&path);
    let end = Content::End("the file has reached its limit of 4096 bytes".into());
    assert_eq!(contents.last(), Some(&end));
    assert!(contents.len() as u64 <= taken, "{} of {taken}", contents.len());
    assert_eq!(logged.try_iter().last().map(|record| record.level), Some(Level::Warn));
}

#[test]
fn when_too_much_waits_recording_ends_and_nobody_waits_for_it() {
    let queue = Arc::new(Queue::default());
    let recorder = Recorder { queue: queue.clone() };
    for _ in 0..STEPS_QUEUED_MAX {
        recorder.take(Timestamp(1), Input::Tick, &Vec::new());
    }
    assert_eq!(recorder.copy(&Input::Tick), Some(Input::Tick));
    recorder.take(Timestamp(1), Input::Tick, &Vec::new());
    assert_eq!(recorder.copy(&Input::Tick), None);
    let mut written = 0;
    let why = loop {
        match queue.next(|| Ok(())) {
            Ok(_) => written += 1,
            Err(why) => break why,
        }
    };
    assert_eq!(written, STEPS_QUEUED_MAX);
    assert!(why.starts_with("the file does not keep up: 65536 facts of about "), "{why}");
}

#[test]
fn what_was_recorded_before_is_left_alone() {
    let folder = tempfile::tempdir().expect("the disk takes a folder");
    let file = folder.path().join("a");
    let header = Header::new("parlor", Timestamp(1), [1; 32], Settings::default());
    for _ in 0..2 {
        Recorder::start((&file, 1 << 20), &header, Hider::new([2; 32], &Keys::default()), Box::new(|_| {}))
            .unwrap()
            .close();
    }
    assert_eq!(contents(&file).len(), 1);
    assert_eq!(contents(&folder.path().join("a.2")).len(), 1);
    let nowhere = folder.path().join("no/a");
    let refused = Recorder::start(
        (&nowhere, 1 << 20),
        &header,
        Hider::new([2; 32], &Keys::default()),
        Box::new(|_| {}),
    );
    assert!(refused.is_err_and(|why| why.starts_with(nowhere.to_str().unwrap())));
}
