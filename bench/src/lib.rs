//! Loads for a running server, and what it makes of them.
