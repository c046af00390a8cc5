//! `multipart/form-data` (RFC 7578) in a complete body.
//!
//! A parser of its own, since the body is in memory anyway: fields are slices of it, the time is
//! linear in its length whatever it holds, and there is no state between chunks to get wrong.

use crate::problem::{Code, Problem};
use axum::body::Bytes;
use memchr::memmem;

/// Longest head of a field in bytes.
const MAX_HEAD: usize = 4096;
/// Longest boundary (RFC 2046, section 5.1.1).
const MAX_BOUNDARY: usize = 70;

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) content: Bytes,
}

/// Why a body is no form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MultipartError {
    #[error("the Content-Type needs a boundary of 1 to 70 characters")]
    Boundary,
    #[error("the body does not begin with the boundary that the Content-Type names")]
    NoStart,
    #[error("the body ends before its closing boundary")]
    NoEnd,
    #[error("a boundary is followed by something else than a line break")]
    Delimiter,
    #[error("the head of a field is longer than {MAX_HEAD} bytes or does not end")]
    LongHead,
    #[error("a field has no Content-Disposition: form-data with a name")]
    NoName,
    #[error("the form has more than {0} fields")]
    TooManyFields(usize),
}

impl From<MultipartError> for Problem {
    fn from(error: MultipartError) -> Self {
        let code = match error {
            MultipartError::TooManyFields(_) => Code::TooManyFields,
            _ => Code::MalformedMultipart,
        };
        Self::new(code, error)
    }
}

/// The boundary in a `Content-Type`; `None` if that is not `multipart/form-data`.
pub(crate) fn boundary(content_type: &str) -> Option<Result<String, MultipartError>> {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(parameters, "boundary").unwrap_or_default();
    let is_allowed = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let is_good = (1..=MAX_BOUNDARY).contains(&boundary.len())
        && boundary.bytes().all(is_allowed)
        && !boundary.ends_with(' ');
    Some(is_good.then_some(boundary).ok_or(MultipartError::Boundary))
}

/// Splits `body` into at most `max_fields` fields.
///
/// # Errors
///
/// If it is no complete form.
pub(crate) fn parse(
    body: &Bytes,
    boundary: &str,
    max_fields: usize,
) -> Result<Vec<Field>, MultipartError> {
    let delimiter = format!("\r\n--{boundary}");
    let finder = memmem::Finder::new(&delimiter);
    // The line break before the first delimiter may be missing; whatever comes before is ignored.
    let mut at = if body.starts_with(&delimiter.as_bytes()[2..]) {
        delimiter.len() - 2
    } else {
        finder.find(body).ok_or(MultipartError::NoStart)? + delimiter.len()
    };
    let mut fields = Vec::new();
    loop {
        let rest = &body[at..];
        if rest.starts_with(b"--") {
            return Ok(fields);
        }
        let padding = rest
            .iter()
            .take_while(|&&b| b == b' ' || b == b'\t')
            .count();
        match rest[padding..].get(..2) {
            Some(b"\r\n") => at += padding,
            Some(_) => return Err(MultipartError::Delimiter),
            None => return Err(MultipartError::NoEnd),
        }
        if fields.len() == max_fields {
            return Err(MultipartError::TooManyFields(max_fields));
        }
        // From the line break on, so that an empty head ends like any other.
        let window = &body[at..body.len().min(at + MAX_HEAD)];
        let head_end = memmem::find(window, b"\r\n\r\n").ok_or(if window.len() < MAX_HEAD {
            MultipartError::NoEnd
        } else {
            MultipartError::LongHead
        })?;
        let name = field_name(&window[..head_end]).ok_or(MultipartError::NoName)?;
        // The last line break of the head may be the first of the delimiter: an empty field.
        let start = at + head_end + 2;
        let length = finder.find(&body[start..]).ok_or(MultipartError::NoEnd)?;
        let content = body.slice((start + 2).min(start + length)..start + length);
        fields.push(Field { name, content });
        at = start + length + delimiter.len();
    }
}

/// The `name` in the `Content-Disposition` among the lines of a head.
fn field_name(head: &[u8]) -> Option<String> {
    let head = std::str::from_utf8(head).ok()?;
    let disposition = head.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let is_it = name.trim().eq_ignore_ascii_case("content-disposition");
        is_it.then_some(value)
    })?;
    let (kind, parameters) = disposition.split_once(';')?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return None;
    }
    parameter(parameters, "name")
}

/// The value of `wanted` in `; a=b; c="d"`.
fn parameter(mut text: &str, wanted: &str) -> Option<String> {
    loop {
        let (name, rest) = text.split_once('=')?;
        let name = name.trim_matches(|c: char| c == ';' || c.is_ascii_whitespace());
        let rest = rest.trim_start();
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => unquote(quoted)?,
            None => {
                let (value, rest) = rest.split_once(';').unwrap_or((rest, ""));
                (value.trim().to_owned(), rest)
            }
        };
        if name.eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        text = rest;
    }
}

/// Reads to the closing quote; returns what follows, too.
fn unquote(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((i, c)) = chars.next() {
        match c {
            '"' => return Some((value, &quoted[i + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_text(body: &str) -> Result<Vec<(String, String)>, MultipartError> {
        let fields = parse(&Bytes::from(body.to_owned()), "XX", 3)?;
        let text = |content: &Bytes| String::from_utf8(content.to_vec()).unwrap();
        Ok(fields
            .iter()
            .map(|f| (f.name.clone(), text(&f.content)))
            .collect())
    }

    fn pair(name: &str, content: &str) -> (String, String) {
        (name.to_owned(), content.to_owned())
    }

    const A: &str = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n";

    #[test]
    fn fields_are_what_lies_between_the_boundaries() {
        let body = format!(
            "{A}one\r\n--XX  \r\ncontent-type: text/plain\r\nCONTENT-DISPOSITION: form-data; \
             filename=\"x; name=\\\"no\\\".png\"; name=b\r\n\r\n\r\ntwo\r\n\r\n--XX--\r\nepilogue"
        );
        let fields = parse_text(&body).unwrap();
        assert_eq!(fields, [pair("a", "one"), pair("b", "\r\ntwo\r\n")]);
        let with_preamble = format!("preamble\r\n{body}");
        assert_eq!(parse_text(&with_preamble).unwrap(), fields);
        assert_eq!(
            parse_text(&format!("{A}\r\n--XX--")).unwrap(),
            [pair("a", "")]
        );
        assert_eq!(parse_text("--XX--").unwrap(), []);
    }

    #[test]
    fn an_empty_field_may_lack_its_line_break() {
        let fields = [pair("a", "")];
        assert_eq!(parse_text(&format!("{A}--XX--")).unwrap(), fields);
        assert_eq!(parse_text(&format!("{A}--XX--\r\n--XX--")).unwrap(), fields);
    }

    #[test]
    fn what_is_no_form_is_refused() {
        for (body, error) in [
            (String::new(), MultipartError::NoStart),
            ("nothing".to_owned(), MultipartError::NoStart),
            ("--XX".to_owned(), MultipartError::NoEnd),
            ("--XX\r\n".to_owned(), MultipartError::NoEnd),
            (A.to_owned(), MultipartError::NoEnd),
            (format!("{A}one\r\n--X"), MultipartError::NoEnd),
            (format!("{A}one\r\n--XXY\r\n"), MultipartError::Delimiter),
            ("--XX\r\n\r\n\r\n--XX--".to_owned(), MultipartError::NoName),
            (
                "--XX\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--XX--".to_owned(),
                MultipartError::NoName,
            ),
            (
                "--XX\r\nContent-Disposition: form-data; name=\"a\r\n\r\n\r\n--XX--".to_owned(),
                MultipartError::NoName,
            ),
            (
                format!("--XX\r\nX: {}\r\n\r\n\r\n--XX--", "x".repeat(MAX_HEAD)),
                MultipartError::LongHead,
            ),
            (
                format!("{}--XX--", format!("{A}1\r\n").repeat(4)),
                MultipartError::TooManyFields(3),
            ),
        ] {
            assert_eq!(parse_text(&body), Err(error), "{body}");
        }
    }

    #[test]
    fn boundaries_come_from_the_content_type() {
        let good = |text: &str| boundary(text).unwrap().unwrap();
        assert_eq!(good("multipart/form-data; boundary=abc"), "abc");
        assert_eq!(
            good("Multipart/Form-Data; charset=utf-8; BOUNDARY=\"a b\"; x=y"),
            "a b"
        );
        for text in [
            "multipart/form-data",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"never closed",
            "multipart/form-data; boundary=ü",
            &format!("multipart/form-data; boundary={}", "b".repeat(71)),
        ] {
            assert_eq!(
                boundary(text),
                Some(Err(MultipartError::Boundary)),
                "{text}"
            );
        }
        for text in [
            "",
            "text/plain",
            "multipart/mixed; boundary=abc",
            "multipart/form-dataX",
        ] {
            assert_eq!(boundary(text), None, "{text}");
        }
    }
}
