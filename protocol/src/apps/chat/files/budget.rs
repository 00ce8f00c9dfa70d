//! How much may be under way at once: files are large, and are held in memory while they are.

use crate::auth::User;
use crate::ids::{FirmId, UserId};
use crate::refusal::{Code, Refusal};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many files may be under way at once, in one direction.
pub const FILES_MAX: usize = 64;
/// How many of one user.
pub const FILES_PER_USER_MAX: usize = 4;
/// How many bytes all of them may take.
pub const FILES_BYTES_MAX: usize = 64 << 20;
/// When it is worth another try, at the earliest.
const RETRY_WAIT: Duration = Duration::from_secs(1);

/// What is taken of it.
#[derive(Debug, Default)]
pub struct Budget {
    files: usize,
    bytes: usize,
    users: BTreeMap<(FirmId, UserId), usize>,
}

impl Budget {
    /// Takes a file of a user in.
    pub fn take(&mut self, user: &User, bytes: usize) -> Result<(), Refusal> {
        let key = (user.firm.clone(), user.id.clone());
        let own = self.users.get(&key).copied().unwrap_or_default();
        let over = if own >= FILES_PER_USER_MAX {
            format!("over the limit of {FILES_PER_USER_MAX} files of one user at once")
        } else if self.files >= FILES_MAX {
            format!("over the limit of {FILES_MAX} files at once")
        } else if self.bytes.saturating_add(bytes) > FILES_BYTES_MAX {
            format!("{bytes} bytes more are over the limit of {FILES_BYTES_MAX} bytes at once")
        } else {
            self.files += 1;
            self.bytes += bytes;
            self.users.insert(key, own + 1);
            return Ok(());
        };
        Err(Refusal::new(Code::Overloaded, over).retry_after(RETRY_WAIT))
    }

    /// Gives back what a file took.
    pub fn give_back(&mut self, user: &User, bytes: usize) {
        self.files -= 1;
        self.bytes -= bytes;
        let key = (user.firm.clone(), user.id.clone());
        if let Some(own) = self.users.get_mut(&key) {
            *own -= 1;
            if *own == 0 {
                self.users.remove(&key);
            }
        }
    }

    /// How many files there are.
    pub fn len(&self) -> usize {
        self.files
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Permissions, UserType};
    use crate::time::Timestamp;

    fn user(number: usize) -> User {
        User {
            id: format!("u{number}").into(),
            firm: "acme".into(),
            name: None,
            user_type: UserType::Employee,
            permissions: Permissions::of(UserType::Employee),
            expires_at: Timestamp(0),
        }
    }

    fn refused(taken: Result<(), Refusal>) -> String {
        taken.expect_err("it is one too many").message.into_owned()
    }

    #[test]
    fn the_fifth_file_of_a_user_waits_until_another_has_ended() {
        let (mut budget, ada) = (Budget::default(), user(0));
        (0..4).for_each(|_| assert_eq!(budget.take(&ada, 1), Ok(())));
        assert_eq!(refused(budget.take(&ada, 1)), "over the limit of 4 files of one user at once");
        budget.give_back(&ada, 1);
        assert_eq!((budget.take(&ada, 1), budget.len()), (Ok(()), 4));
    }

    #[test]
    fn all_files_together_are_bounded_in_number_and_in_bytes() {
        let mut budget = Budget::default();
        (0..64).for_each(|number| assert_eq!(budget.take(&user(number), 1), Ok(())));
        assert_eq!(refused(budget.take(&user(64), 1)), "over the limit of 64 files at once");
        let mut budget = Budget::default();
        assert_eq!(budget.take(&user(0), FILES_BYTES_MAX - 1), Ok(()));
        let why = "2 bytes more are over the limit of 67108864 bytes at once";
        assert_eq!(refused(budget.take(&user(1), 2)), why);
        assert_eq!(budget.take(&user(1), 1), Ok(()));
        budget.give_back(&user(0), FILES_BYTES_MAX - 1);
        budget.give_back(&user(1), 1);
        assert_eq!((budget.files, budget.bytes, budget.users.len()), (0, 0, 0));
    }
}
