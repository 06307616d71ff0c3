//! The headers of cross-origin requests, as npm's `cors` words them, which the reference server uses. Sent only by
//! apps that list origins; unlike there, a foreign origin is refused besides.
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use session::Refusal;

use crate::{
    WebSettings,
    origin::Verdict,
    respond::{Answer, answer, refuse},
};

pub(crate) struct Cors {
    configured: bool,
    credentials: bool,
    allow: Option<HeaderValue>,
}

impl Cors {
    pub(crate) fn new(web: &WebSettings, verdict: &Verdict) -> Self {
        let allow = match verdict {
            Verdict::Allowed(origin) => Some(origin.clone()),
            Verdict::Own | Verdict::Foreign | Verdict::Malformed => None,
        };
        // Browsers take no credentials with a star, and rightly.
        let credentials = web.credentials && allow.as_ref().is_none_or(|origin| origin != "*");
        Self {
            configured: !web.origins.is_empty(),
            credentials,
            allow,
        }
    }

    /// The whole answer to an OPTIONS request, if the app lists origins.
    pub(crate) fn preflight(
        &self,
        method: &Method,
        headers: &HeaderMap,
        verdict: &Verdict,
    ) -> Option<Answer> {
        if !self.configured || method != Method::OPTIONS {
            return None;
        }
        let mut answer = match verdict {
            Verdict::Foreign => refuse(Refusal::Forbidden),
            Verdict::Malformed => refuse(Refusal::BadRequest),
            Verdict::Own | Verdict::Allowed(_) => answer(StatusCode::NO_CONTENT, ""),
        };
        self.apply(answer.headers_mut());
        if answer.status() == StatusCode::NO_CONTENT {
            let out = answer.headers_mut();
            out.insert(
                header::VARY,
                HeaderValue::from_static("Origin, Access-Control-Request-Headers"),
            );
            out.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
            if let Some(asked) = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
                out.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
            }
            // hyper leaves it out of a 204; Safari once needed it.
            out.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Some(answer)
    }

    /// For every other answer: errors and 101 too.
    pub(crate) fn apply(&self, headers: &mut HeaderMap) {
        if !self.configured {
            return;
        }
        if let Some(origin) = &self.allow {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        }
        headers.insert(header::VARY, HeaderValue::from_static("Origin"));
        if self.credentials {
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
        }
    }
}

const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");
