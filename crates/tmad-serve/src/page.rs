//! The web page, as part of the program.

use crate::problem::{Code, Problem};
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

/// Paths and contents. What is asked for is looked up here and nowhere else.
static FILES: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/web.rs"));

/// Nothing but files of our own: no inline script or style, no other host, no frame.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self'; img-src 'self' blob: data:; font-src 'self'; connect-src 'self'; \
     manifest-src 'self'; worker-src 'self'; form-action 'none'; base-uri 'none'; \
     frame-ancestors 'none'";

/// Answers whatever is no part of the API.
pub(crate) async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response {
    let path = match uri.path() {
        "/" => "/index.html",
        path => path,
    };
    let Some((_, content)) = FILES.iter().find(|(name, _)| *name == path) else {
        return Problem::new(Code::NotFound, "the page is at /, the API below /v1").into_response();
    };
    if method != Method::GET && method != Method::HEAD {
        return Problem::new(Code::MethodNotAllowed, "the page can be read only").into_response();
    }
    let tag = entity_tag(content);
    let is_known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|known| *known == tag);
    let mut response = if is_known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(*content))
    };
    let answer = response.headers_mut();
    answer.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(content_type(path)),
    );
    // Kept, but asked for each time: another version of the program may answer next.
    answer.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        answer.insert(header::ETAG, tag);
    }
    response
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// FNV-1a of the content: it tells versions of a file apart, nothing more.
fn entity_tag(content: &[u8]) -> String {
    let hash = content
        .iter()
        .fold(0xCBF2_9CE4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        });
    format!("\"{hash:016x}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_inside_and_asks_no_other_host() {
        assert!(FILES.iter().any(|(name, _)| *name == "/index.html"));
        for (name, content) in FILES {
            assert_ne!(content_type(name), "application/octet-stream", "{name}");
            let Ok(text) = std::str::from_utf8(content) else {
                continue;
            };
            for (i, _) in text.match_indices("://") {
                let around = &text[i.saturating_sub(5)..text.len().min(i + 40)];
                // Names of XML vocabularies are no addresses.
                assert!(around.contains("www.w3.org"), "{name}: {around}");
            }
        }
    }
}
