use super::*;
use crate::settings::Surroundings;
use parlor_protocol::auth::{Permissions, User, verify_token};
use std::collections::BTreeSet;

const NOW: Timestamp = Timestamp(1_763_654_400_000_000);

fn keys() -> Keys {
    Keys {
        key_set: None,
        secret: Some(b"a secret of the trial".to_vec()),
        audience: Some("web".into()),
        issuer: None,
        service_key: None,
    }
}

#[test]
fn a_token_of_the_trial_is_its_person_for_thirty_days() {
    let keys = keys();
    let [_, _, _, gil] = PEOPLE;
    let token = token(keys.secret.as_deref().unwrap(), &gil.claims(&keys, NOW));
    let user = User {
        id: "gil".into(),
        firm: "trial".into(),
        name: Some("Gil".into()),
        user_type: UserType::Guest,
        permissions: Permissions::of(UserType::Guest),
        expires_at: NOW + TOKEN_VALID,
    };
    assert_eq!(verify_token(&token, &keys, NOW), Ok(user.clone()));
    assert_eq!(verify_token(&token, &keys, NOW + TOKEN_VALID), Ok(user));
    assert!(verify_token(&token, &keys, NOW + TOKEN_VALID + Duration::from_secs(30)).is_err());
}

#[test]
fn the_samples_are_two_templates_and_five_rooms_that_fit_together() {
    let samples = samples(&[]);
    let mut rooms = BTreeSet::new();
    let mut templates = Vec::new();
    for change in &samples {
        match change {
            Change::Put(Row::Room(room)) => assert!(rooms.insert(room.id.clone())),
            Change::Put(Row::Member(member)) => assert!(rooms.contains(&member.room), "{member:?}"),
            Change::Put(Row::Template(template)) => templates.push(template),
            other @ (Change::Insert(_) | Change::Put(_) | Change::Remove(_) | Change::Trim { .. }) => {
                panic!("{other:?}")
            }
        }
    }
    assert_eq!((rooms.len(), templates.len()), (5, 2));
    for template in &templates {
        assert!(template.questions.len() >= 3, "{}", template.name);
        for question in &template.questions {
            assert!(template.body.contains(&format!("{{{{{}}}}}", question.key)), "{}", question.key);
        }
        assert_eq!(template.body.matches("{{").count(), template.questions.len());
    }
    assert_eq!(
        templates.iter().flat_map(|template| &template.questions).filter(|one| !one.required).count(),
        1
    );
}

#[test]
fn a_database_that_has_a_room_or_a_template_gets_no_samples() {
    let all = samples(&[]);
    let found: Vec<Row> = all
        .into_iter()
        .filter_map(|change| match change {
            Change::Put(row) => Some(row),
            Change::Insert(_) | Change::Remove(_) | Change::Trim { .. } => None,
        })
        .collect();
    assert_eq!(samples(&found[..1]), []);
    assert_eq!(samples(&found[2..3]), []);
}

fn scratch(name: &str) -> std::path::PathBuf {
    let folder = std::env::temp_dir().join(format!("parlor-trial-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn loaded(arguments: &[&str], folder: &std::path::Path) -> Configuration {
    let arguments = std::iter::once("parlor").chain(arguments.iter().copied()).map(Into::into).collect();
    let environment = Vec::new();
    Configuration::load(&Surroundings { program: "parlor", arguments, environment, folder: folder.into() })
        .unwrap()
}

#[test]
fn the_greeting_of_a_trial_opens_the_console_as_ada_and_as_ben() {
    let folder = scratch("greeting");
    let configuration = loaded(&["--public-url", "http://parlor.test/"], &folder);
    let text = greeting(&configuration, "127.0.0.1:4321".parse().unwrap(), NOW);
    assert!(text.starts_with("Parlor 0.1.0 listens on http://127.0.0.1:4321\n"), "{text}");
    let tokens: Vec<_> =
        text.split_whitespace().filter_map(|word| word.strip_prefix("http://parlor.test/#token=")).collect();
    let users = tokens.iter().map(|token| verify_token(token, &configuration.keys, NOW).unwrap().id);
    assert_eq!(users.collect::<Vec<_>>(), ["ada".into(), "ben".into()]);
    assert!(text.contains(&configuration.secret_file().display().to_string()), "{text}");
    assert!(!text.contains(configuration.keys.service_key.as_deref().unwrap()));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn the_greeting_in_earnest_is_one_line() {
    let configuration =
        loaded(&["--jwt-secret", "0123456789abcdef0123456789abcdef"], std::path::Path::new("/nonexistent"));
    let text = greeting(&configuration, "[::1]:80".parse().unwrap(), NOW);
    assert_eq!(text, "Parlor 0.1.0 listens on http://[::1]:80\n");
}
