//! How this crate takes its locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// What a lock guards here is whole between any two statements, so a panic elsewhere spoils nothing.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
