//! Who may use the service: host names, origins, the token.

use crate::config::Config;
use crate::problem::{Code, Problem};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use std::hint::black_box;
use std::net::IpAddr;

/// The rules.
#[derive(Debug)]
pub(crate) struct Access {
    token: Option<String>,
    origins: Vec<String>,
    /// Which address, if host names are checked.
    loopback: Option<IpAddr>,
}

impl Access {
    pub(crate) fn new(config: &Config) -> Self {
        let ip = config.addr.ip();
        Self {
            token: config.token.clone(),
            origins: config.cors.clone(),
            // With a token, a page that points its own name at us has nothing to gain.
            loopback: (ip.is_loopback() && config.token.is_none()).then_some(ip),
        }
    }

    /// On a loopback address without a token, only names of this machine are served: a web page
    /// elsewhere may have its own name resolved to it, and would then count as same-origin.
    ///
    /// # Errors
    ///
    /// [`Code::ForbiddenHost`].
    pub(crate) fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(ip) = self.loopback else {
            return Ok(());
        };
        // HTTP/1.0 without the header: no browser.
        let Some(host) = headers.get(header::HOST) else {
            return Ok(());
        };
        let host = host.to_str().unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(rest) => rest.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let is_ours = name.eq_ignore_ascii_case("localhost")
            || name
                .parse()
                .is_ok_and(|named: IpAddr| named == ip || named.is_loopback());
        if is_ours {
            return Ok(());
        }
        Err(Problem::new(
            Code::ForbiddenHost,
            "this service is for this machine; open it as http://localhost or 127.0.0.1. To serve \
             it under another name, behind a proxy or not, start it with a token (TMAD_TOKEN)",
        ))
    }

    /// Other web pages may not use the API unless they were allowed to.
    ///
    /// # Errors
    ///
    /// [`Code::ForbiddenOrigin`].
    pub(crate) fn check_origin(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let get = |name| headers.get(name).map(HeaderValue::as_bytes);
        let is_foreign = match get(header::ORIGIN) {
            Some(origin) => {
                let authority = origin
                    .strip_prefix(b"http://")
                    .or(origin.strip_prefix(b"https://"));
                let is_same = authority.is_some() && authority == get(header::HOST);
                !is_same && self.allowed_origin(headers).is_none()
            }
            // Browsers send no Origin with some GETs, but then this.
            None => {
                let site = HeaderName::from_static("sec-fetch-site");
                matches!(get(site), Some(b"cross-site" | b"same-site"))
            }
        };
        if !is_foreign {
            return Ok(());
        }
        Err(Problem::new(
            Code::ForbiddenOrigin,
            "web pages of other origins may not use this service; start it with --cors and the \
             page's origin if they should",
        ))
    }

    /// The request's origin, if it is one of those that were allowed.
    pub(crate) fn allowed_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let is_allowed =
            |allowed: &String| allowed == "*" || allowed.as_bytes() == origin.as_bytes();
        self.origins.iter().any(is_allowed).then(|| origin.clone())
    }

    /// # Errors
    ///
    /// [`Code::Unauthorized`].
    pub(crate) fn check_token(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(token) = &self.token else {
            return Ok(());
        };
        let given = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.as_bytes().split_first_chunk::<7>())
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"Bearer "))
            .map(|(_, token)| token);
        if given.is_some_and(|given| are_equal(given, token.as_bytes())) {
            return Ok(());
        }
        let detail = match given {
            Some(_) => "the token is not the one that the service was started with",
            None => "send the service's token as Authorization: Bearer …",
        };
        Err(Problem::new(Code::Unauthorized, detail))
    }
}

/// Compares in a time that depends on the lengths only.
fn are_equal(a: &[u8], b: &[u8]) -> bool {
    let differences = a
        .iter()
        .zip(b)
        .fold(0, |sum, (a, b)| black_box(sum | (a ^ b)));
    a.len() == b.len() && differences == 0
}

/// Whether a browser asks if it may send a request.
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// Tells the browser that a page of `origin` may have the answer.
pub(crate) fn allow_origin(headers: &mut HeaderMap, origin: HeaderValue, preflight: bool) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let fixed: &[(HeaderName, &'static str)] = if preflight {
        &[
            (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST, DELETE"),
            (
                header::ACCESS_CONTROL_ALLOW_HEADERS,
                "Authorization, Content-Type",
            ),
            (header::ACCESS_CONTROL_MAX_AGE, "600"),
        ]
    } else {
        &[(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            "Retry-After, Server-Timing, X-Seed, X-Tmad-Method, X-Tmad-Warning",
        )]
    };
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("cross-origin"),
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |&(name, value): &(&'static str, &str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        };
        pairs.iter().map(pair).collect()
    }

    fn access(token: Option<&str>, cors: &[&str]) -> Access {
        Access::new(&Config {
            token: token.map(str::to_owned),
            cors: cors.iter().map(|&origin| origin.to_owned()).collect(),
            ..Config::default()
        })
    }

    #[test]
    fn only_names_of_this_machine_are_served_on_loopback() {
        let access = access(None, &[]);
        for (host, is_good) in [
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("127.0.0.1:8080", true),
            ("[::1]:8080", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("localhost.evil.example", false),
            ("192.168.0.7:8080", false),
            ("", false),
        ] {
            let checked = access.check_host(&headers(&[("host", host)]));
            assert_eq!(checked.is_ok(), is_good, "{host}");
        }
        let with_token = super::tests::access(Some("t"), &[]);
        assert!(
            with_token
                .check_host(&headers(&[("host", "tmad.example")]))
                .is_ok()
        );
    }

    #[test]
    fn other_origins_need_permission() {
        let access = access(None, &["https://good.example"]);
        let host = ("host", "localhost:8080");
        for (pair, is_good) in [
            (("origin", "http://localhost:8080"), true),
            (("origin", "https://localhost:8080"), true),
            (("origin", "https://good.example"), true),
            (("origin", "http://localhost:3000"), false),
            (("origin", "https://good.example.evil"), false),
            (("origin", "null"), false),
            (("sec-fetch-site", "same-origin"), true),
            (("sec-fetch-site", "none"), true),
            (("sec-fetch-site", "cross-site"), false),
            (("sec-fetch-site", "same-site"), false),
        ] {
            let checked = access.check_origin(&headers(&[host, pair]));
            assert_eq!(checked.is_ok(), is_good, "{pair:?}");
        }
        let any = super::tests::access(None, &["*"]);
        let foreign = headers(&[host, ("origin", "https://any.example")]);
        assert!(any.check_origin(&foreign).is_ok());
    }

    #[test]
    fn the_token_is_asked_for() {
        let access = access(Some("s3cret"), &[]);
        for (value, is_good) in [
            ("Bearer s3cret", true),
            ("bearer s3cret", true),
            ("Bearer s3cre", false),
            ("Bearer s3cretx", false),
            ("Bearer ", false),
            ("Basic s3cret", false),
            ("s3cret", false),
        ] {
            let checked = access.check_token(&headers(&[("authorization", value)]));
            assert_eq!(checked.is_ok(), is_good, "{value}");
        }
        assert!(access.check_token(&headers(&[])).is_err());
        assert!(
            super::tests::access(None, &[])
                .check_token(&headers(&[]))
                .is_ok()
        );
    }
}
