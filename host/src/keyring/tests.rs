use super::*;

const INTERVAL: Duration = Duration::from_secs(60);
const BEGIN: Timestamp = Timestamp(1_800_000_000_000_000);

fn keyring(secret: Option<&str>) -> Keyring {
    let secret = secret.map(|secret| secret.as_bytes().to_vec());
    Keyring::new(Keys { secret, key_set: Some(Arc::default()), ..Keys::default() }, INTERVAL)
}

fn job() -> Job {
    Job::VerifyToken { token: "t".into() }
}

fn ticket(slot: u32) -> Ticket {
    Ticket { slot, generation: 0 }
}

/// What becomes of a token that comes so many seconds after the beginning.
fn ask(keyring: &Keyring, seconds: u64) -> Asked {
    let now = BEGIN + Duration::from_secs(seconds);
    keyring.ask(now, &keyring.held(), ticket(0), job())
}

fn succeed(keyring: &Keyring, seconds: u64) -> Vec<bool> {
    let waiting = keyring.fetched(BEGIN + Duration::from_secs(seconds), Ok(KeySet::default()));
    waiting.into_iter().map(|token| token.is_first).collect()
}

fn fail(keyring: &Keyring, seconds: u64) {
    keyring.fetched(BEGIN + Duration::from_secs(seconds), Err("down".into()));
}

fn later(seconds: u64) -> Asked {
    Asked::Later(Duration::from_secs(seconds))
}

#[test]
fn keys_that_stay_what_they_are_are_never_fetched() {
    let keyring = Keyring::new(Keys::default(), INTERVAL);
    assert!(!keyring.begins(BEGIN) && !keyring.takes_long(&job()));
}

#[test]
fn the_first_fetch_needs_no_token_unless_there_is_a_secret_to_begin_with() {
    let alone = keyring(None);
    assert!(alone.takes_long(&job()) && alone.begins(BEGIN));
    assert!(!alone.begins(BEGIN), "one is under way");
    let beside = keyring(Some("secret"));
    assert!(!beside.begins(BEGIN));
    assert_eq!(ask(&beside, 0), Asked::Fetch);
}

#[test]
fn one_fetch_serves_all_and_only_the_first_was_there_before_it() {
    let keyring = keyring(None);
    assert_eq!(
        (ask(&keyring, 0), ask(&keyring, 1), ask(&keyring, 2)),
        (Asked::Fetch, Asked::Waits, Asked::Waits)
    );
    assert_eq!(succeed(&keyring, 3), [true, false, false]);
    assert_eq!(ask(&keyring, 4), later(59));
    assert_eq!(ask(&keyring, 62), later(1));
    assert_eq!(ask(&keyring, 63), Asked::Fetch);
}

#[test]
fn the_first_fetch_that_nobody_asked_for_puts_nobody_off() {
    let keyring = keyring(None);
    assert!(keyring.begins(BEGIN));
    assert_eq!(ask(&keyring, 0), Asked::Waits);
    assert_eq!(succeed(&keyring, 1), [false]);
    assert_eq!(ask(&keyring, 1), Asked::Fetch);
    assert_eq!(succeed(&keyring, 2), [true]);
    assert_eq!(ask(&keyring, 3), later(59));
}

#[test]
fn what_failed_is_tried_again_sooner_and_what_is_held_stays() {
    let keyring = keyring(None);
    let before = keyring.held();
    assert_eq!(ask(&keyring, 0), Asked::Fetch);
    fail(&keyring, 5);
    assert!(Arc::ptr_eq(&before, &keyring.held()));
    assert_eq!((ask(&keyring, 6), ask(&keyring, 15)), (later(9), Asked::Fetch));
    let hasty =
        Keyring::new(Keys { key_set: Some(Arc::default()), ..Keys::default() }, Duration::from_secs(1));
    assert_eq!(ask(&hasty, 0), Asked::Fetch);
    fail(&hasty, 0);
    assert_eq!((ask(&hasty, 0), ask(&hasty, 1)), (later(1), Asked::Fetch));
}

#[test]
fn a_token_that_was_looked_at_with_older_keys_is_looked_at_again() {
    let keyring = keyring(None);
    let before = keyring.held();
    assert!(keyring.begins(BEGIN));
    succeed(&keyring, 1);
    assert_eq!(keyring.ask(BEGIN, &before, ticket(0), job()), Asked::Again(job()));
}

#[test]
fn keys_that_are_old_are_fetched_again_though_no_token_asks() {
    let keyring = keyring(None);
    assert!(keyring.begins(BEGIN));
    succeed(&keyring, 0);
    assert!(!keyring.begins(BEGIN + (KEYS_AGE_MAX - Duration::from_micros(1))));
    assert!(keyring.begins(BEGIN + KEYS_AGE_MAX));
    fail(&keyring, 600);
    assert!(!keyring.begins(BEGIN + KEYS_AGE_MAX + Duration::from_secs(9)));
    assert!(keyring.begins(BEGIN + KEYS_AGE_MAX + FAILED_WAIT));
}

#[test]
fn so_many_wait_and_the_others_come_later() {
    let keyring = keyring(None);
    assert_eq!(ask(&keyring, 0), Asked::Fetch);
    for _ in 1..WAITING_MAX {
        assert_eq!(ask(&keyring, 0), Asked::Waits);
    }
    assert_eq!(ask(&keyring, 0), Asked::Later(CROWDED_WAIT));
    assert_eq!(succeed(&keyring, 1).len(), WAITING_MAX);
}

#[test]
fn an_empty_set_is_no_reason_to_forget_the_keys_that_are_held() {
    let empty = || KeySet::read(br#"{"keys":[]}"#);
    let key = r#"{"keys":[{"kty":"EC","crv":"P-256","kid":"k","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    let none = Keys { key_set: Some(Arc::default()), ..Keys::default() };
    let keyring = Keyring::new(none, Duration::from_secs(60));
    assert!(
        keyring.judged(empty()).is_ok_and(|set| set.is_empty()),
        "where none is held it is what there is"
    );
    keyring.fetched(Timestamp(1), KeySet::read(key.as_bytes()));
    assert_eq!(keyring.held().key_set.as_ref().map(|set| set.len()), Some(1));
    let why = keyring.judged(empty()).expect_err("it counts as failed");
    assert_eq!(why, "the key set holds no key for us: those that are held stay good");
    assert!(keyring.judged(KeySet::read(key.as_bytes())).is_ok());
}
