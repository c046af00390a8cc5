//! Every error that a client can get: code, status and title in one table.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::fmt;

/// What went wrong, for programs. Codes never change their meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Code {
    BodyTimeout,
    Cancelled,
    DuplicateField,
    FieldMissing,
    FieldUnknown,
    ForbiddenHost,
    ForbiddenOrigin,
    GuessSizeMismatch,
    ImageFormatUnsupported,
    ImageTooLarge,
    ImageUnreadable,
    Internal,
    InvalidJobId,
    InvalidOptions,
    InvalidPolygon,
    JobExists,
    JobUnknown,
    LengthInvalid,
    MalformedMultipart,
    MaskCoversAll,
    MaskSizeMismatch,
    MethodFailed,
    MethodNotAllowed,
    MethodUnknown,
    NotAvailable,
    NotFound,
    NotReady,
    OutputFormatUnsuitable,
    QueueFull,
    ShuttingDown,
    Timeout,
    TooLarge,
    TooManyFields,
    Unauthorized,
    UnsupportedByMethod,
    UnsupportedContentEncoding,
    UnsupportedMediaType,
}

impl Code {
    /// All codes, for the API's description and for tests.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 37] = [
        Self::BodyTimeout,
        Self::Cancelled,
        Self::DuplicateField,
        Self::FieldMissing,
        Self::FieldUnknown,
        Self::ForbiddenHost,
        Self::ForbiddenOrigin,
        Self::GuessSizeMismatch,
        Self::ImageFormatUnsupported,
        Self::ImageTooLarge,
        Self::ImageUnreadable,
        Self::Internal,
        Self::InvalidJobId,
        Self::InvalidOptions,
        Self::InvalidPolygon,
        Self::JobExists,
        Self::JobUnknown,
        Self::LengthInvalid,
        Self::MalformedMultipart,
        Self::MaskCoversAll,
        Self::MaskSizeMismatch,
        Self::MethodFailed,
        Self::MethodNotAllowed,
        Self::MethodUnknown,
        Self::NotAvailable,
        Self::NotFound,
        Self::NotReady,
        Self::OutputFormatUnsuitable,
        Self::QueueFull,
        Self::ShuttingDown,
        Self::Timeout,
        Self::TooLarge,
        Self::TooManyFields,
        Self::Unauthorized,
        Self::UnsupportedByMethod,
        Self::UnsupportedContentEncoding,
        Self::UnsupportedMediaType,
    ];

    /// The table.
    const fn row(self) -> (u16, &'static str, &'static str) {
        match self {
            Self::DuplicateField => (400, "duplicate_field", "A field was sent twice"),
            Self::FieldMissing => (400, "field_missing", "A field is missing"),
            Self::FieldUnknown => (400, "field_unknown", "A field is not known"),
            Self::InvalidJobId => (400, "invalid_job_id", "The job's name is not usable"),
            Self::InvalidOptions => (400, "invalid_options", "The options are not usable"),
            Self::InvalidPolygon => (400, "invalid_polygon", "The polygon is not usable"),
            Self::LengthInvalid => (400, "length_invalid", "The body's length is unclear"),
            Self::MalformedMultipart => (400, "malformed_multipart", "The form is malformed"),
            Self::Unauthorized => (401, "unauthorized", "A token is needed"),
            Self::ForbiddenHost => (403, "forbidden_host", "The host name is not served"),
            Self::ForbiddenOrigin => (403, "forbidden_origin", "The web page is of another origin"),
            Self::JobUnknown => (404, "job_unknown", "There is no such job"),
            Self::NotFound => (404, "not_found", "There is nothing here"),
            Self::MethodNotAllowed => (405, "method_not_allowed", "Not with this HTTP method"),
            Self::BodyTimeout => (408, "body_timeout", "The body came too slowly"),
            Self::Cancelled => (409, "cancelled", "The job was cancelled"),
            Self::JobExists => (409, "job_exists", "The job's name is in use"),
            Self::ImageTooLarge => (413, "image_too_large", "The picture is too large"),
            Self::TooLarge => (413, "too_large", "The body is too large"),
            Self::TooManyFields => (413, "too_many_fields", "The form has too many fields"),
            Self::ImageFormatUnsupported => (
                415,
                "image_format_unsupported",
                "The picture's format is not supported",
            ),
            Self::UnsupportedContentEncoding => (
                415,
                "unsupported_content_encoding",
                "Compressed bodies are not accepted",
            ),
            Self::UnsupportedMediaType => (
                415,
                "unsupported_media_type",
                "The body is not of the right type",
            ),
            Self::GuessSizeMismatch => (
                422,
                "guess_size_mismatch",
                "The guess has another size than the picture",
            ),
            Self::ImageUnreadable => (422, "image_unreadable", "The picture cannot be decoded"),
            Self::MaskCoversAll => (422, "mask_covers_all", "The mask leaves nothing to keep"),
            Self::MaskSizeMismatch => (
                422,
                "mask_size_mismatch",
                "The mask has another size than the picture",
            ),
            Self::MethodUnknown => (422, "method_unknown", "There is no such method"),
            Self::OutputFormatUnsuitable => (
                422,
                "output_format_unsuitable",
                "The result does not fit the format",
            ),
            Self::UnsupportedByMethod => (
                422,
                "unsupported_by_method",
                "The method does not offer this",
            ),
            Self::QueueFull => (429, "queue_full", "The service is busy"),
            Self::Internal => (500, "internal", "The service failed"),
            Self::MethodFailed => (500, "method_failed", "The method failed"),
            Self::NotAvailable => (501, "not_available", "No method here offers this"),
            Self::NotReady => (503, "not_ready", "The service is busy"),
            Self::ShuttingDown => (503, "shutting_down", "The service is shutting down"),
            Self::Timeout => (503, "timeout", "The work took too long"),
        }
    }

    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The stable name.
    pub(crate) const fn name(self) -> &'static str {
        self.row().1
    }

    const fn title(self) -> &'static str {
        self.row().2
    }
}

/// An answer that says why there is none (RFC 9457). Responses carry it as an extension.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    pub(crate) code: Code,
    detail: String,
    retry_after_s: Option<u64>,
}

impl Problem {
    /// `detail` says what this request got wrong, and what to do.
    pub(crate) fn new(code: Code, detail: impl fmt::Display) -> Self {
        Self {
            code,
            detail: detail.to_string(),
            retry_after_s: None,
        }
    }

    /// The document that clients get.
    pub(crate) fn to_json(&self) -> Value {
        json!({
            "type": format!("urn:tmad:problem:{}", self.code.name()),
            "title": self.code.title(),
            "status": self.code.status().as_u16(),
            "detail": self.detail,
            "code": self.code.name(),
        })
    }

    /// When the client may try again.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.to_json().to_string()));
        *response.status_mut() = self.code.status();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.code == Code::Unauthorized {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"tmad\""),
            );
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_unique_and_statuses_are_errors() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(
                code.status().is_client_error() || code.status().is_server_error(),
                "{code:?}"
            );
        }
    }

    #[test]
    fn the_documents_list_all_codes() {
        let openapi: serde_json::Value =
            serde_json::from_str(include_str!("openapi.json")).unwrap();
        let listed = &openapi["components"]["schemas"]["Problem"]["properties"]["code"]["enum"];
        let listed: HashSet<_> = (listed.as_array().unwrap().iter())
            .map(|code| code.as_str().unwrap())
            .collect();
        assert_eq!(listed, Code::ALL.iter().map(|code| code.name()).collect());
        let text = include_str!("../../../docs/api.md");
        for code in Code::ALL {
            let start = format!("| {} | ", code.status().as_u16());
            let row = text.lines().find(|line| line.starts_with(&start));
            let name = format!("`{}`", code.name());
            assert!(row.is_some_and(|row| row.contains(&name)), "{name}");
        }
    }
}
