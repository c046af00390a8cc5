//! Errors of the libraries as Python's exceptions.

use inpaint_core::InpaintError;
use pyo3::PyErr;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use std::io;
use tmad_eval::EvalError;

/// What was handed in cannot be used: `ValueError`.
pub fn value_error(reason: impl ToString) -> PyErr {
    PyValueError::new_err(reason.to_string())
}

/// `ValueError` for what the caller can change, `RuntimeError` for the rest.
pub fn inpaint_error(error: InpaintError) -> PyErr {
    match error {
        InpaintError::Method(_) => PyRuntimeError::new_err(error.to_string()),
        error => value_error(error),
    }
}

/// `OSError` (`FileNotFoundError` and so on) for files, `ValueError` for their contents.
pub fn eval_error(error: EvalError) -> PyErr {
    match &error {
        EvalError::Read { source, .. } => io::Error::new(source.kind(), error.to_string()).into(),
        _ => value_error(error),
    }
}
