//! What is wrong with a configuration.

/// A field whose value no network can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct ConfigError {
    /// Where it is, as in `coarse.widths`.
    pub field: String,
    /// What it is, and what it may be.
    pub problem: String,
}

impl ConfigError {
    /// In words.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            problem: problem.into(),
        }
    }
}
