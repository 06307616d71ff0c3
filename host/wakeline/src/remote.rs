//! A host's admin API, as its client.
mod answer;
mod events;

use std::{fmt::Write as _, io::Read, sync::Arc, time::Duration};

use serde_json::Value;
use ureq::{
    Agent, AsSendBody, Body, SendBody,
    config::Config,
    http::{HeaderValue, Method, Request, Response, header, request::Builder},
    tls::{Certificate, RootCerts, TlsConfig},
};

pub(crate) use self::events::{Ended, Event, Events};
use crate::{
    access::Access,
    cli,
    failure::{Failure, Kind},
    ui,
};

/// A host to speak to. Every request is answered, or given up, within its time.
pub(crate) struct Remote {
    access: Access,
    agent: Agent,
}

/// A path of the API, put together of parts that are others' texts.
pub(crate) struct Path(String);

/// One request.
struct Call<'a> {
    method: Method,
    path: &'a Path,
    content_type: Option<&'static str>,
    /// What is sent, and how many bytes that are.
    body: Option<(&'a mut dyn Read, usize)>,
    patience: Patience,
    /// Whether the answer may go on for ever, as long as something comes.
    stream: bool,
}

/// How long the host may think before it begins to answer.
#[derive(Clone, Copy)]
pub(crate) enum Patience {
    /// It has only to look something up.
    Short,
    /// It compiles a component.
    Compile,
    /// It waits for other nodes, this long at most.
    Wait { ms: u64 },
}

/// What is kept free of what other requests wait for: names, a TLS handshake.
const CONNECT: Duration = Duration::from_secs(10);
/// A read or a write that moves nothing for this long is given up. Servers say something in a stream of events at
/// least every 15 s.
const STILL: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_secs(30);
/// Compiling may take 30 s on a busy machine, in a queue of others.
const COMPILE: Duration = Duration::from_mins(5);
/// An answer that is not a stream; a page of a list has at most a few hundred kilobytes.
const ANSWER_BYTES_MAX: u64 = 64 * 1024 * 1024;

impl Remote {
    /// The host that options, variables or the file of profiles name. Nothing is sent yet.
    pub(crate) fn find(host: &cli::Host) -> Result<Self, Failure> {
        Ok(Self::new(Access::find(host)?))
    }

    pub(crate) fn new(access: Access) -> Self {
        if access.token.is_some() && access.url.is_readable() {
            ui::warn(
                &format!("the token goes to {} unencrypted", access.url),
                Some("use https, or a tunnel (ssh -L 3001:127.0.0.1:3001 HOST) and http://127.0.0.1:3001"),
            );
        }
        let agent = Agent::new_with_config(config(&access));
        Self { access, agent }
    }

    /// What it is called in messages.
    pub(crate) fn name(&self) -> &str {
        self.access.url.as_str()
    }

    pub(crate) fn get(&self, path: &Path) -> Result<Value, Failure> {
        self.json(Call::new(Method::GET, path, Patience::Short))
    }

    pub(crate) fn delete(&self, path: &Path) -> Result<Value, Failure> {
        self.json(Call::new(Method::DELETE, path, Patience::Short))
    }

    pub(crate) fn post(&self, path: &Path, body: &Value, patience: Patience) -> Result<Value, Failure> {
        let text = body.to_string();
        let call = Call::new(Method::POST, path, patience);
        self.json(call.body("application/json", text.as_bytes(), &mut text.as_bytes()))
    }

    /// `bytes` as they are.
    pub(crate) fn put(
        &self,
        path: &Path,
        content_type: &'static str,
        mut bytes: &[u8],
    ) -> Result<Value, Failure> {
        let whole = bytes;
        let call = Call::new(Method::PUT, path, Patience::Short);
        self.json(call.body(content_type, whole, &mut bytes))
    }

    /// `bytes` with a bar that shows how far they have come.
    pub(crate) fn upload(
        &self,
        method: Method,
        path: &Path,
        what: &str,
        bytes: &[u8],
    ) -> Result<Value, Failure> {
        let content_type = match method {
            Method::POST => "application/wasm",
            _ => "application/gzip",
        };
        let mut bar = ui::Bar::new("Uploading", what, bytes);
        let call = Call::new(method, path, Patience::Compile);
        self.json(call.body(content_type, bytes, &mut bar))
    }

    /// A stream of events, from its beginning.
    pub(crate) fn events(&self, path: &Path) -> Result<Events, Failure> {
        let mut call = Call::new(Method::GET, path, Patience::Short);
        call.stream = true;
        let response = self.send(call)?;
        Ok(Events::new(response.into_body().into_reader()))
    }

    fn json(&self, call: Call<'_>) -> Result<Value, Failure> {
        let response = self.send(call)?;
        let text = text(response).map_err(|error| self.unreachable(&error))?;
        // 204, and what answers a DELETE.
        if text.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        serde_json::from_str(&text).map_err(|_| self.stranger("its answer is not JSON"))
    }

    /// An answer that says yes; the others are failures already.
    fn send(&self, call: Call<'_>) -> Result<Response<Body>, Failure> {
        let path = call.path;
        let (patience, stream) = (call.patience.duration(), call.stream);
        let head = self.head(&call)?;
        let response = match call.body {
            Some((reader, _)) => self.run(head, SendBody::from_reader(reader), patience, stream)?,
            None => self.run(head, (), patience, stream)?,
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let text = text(response).unwrap_or_default();
        Err(self.refused(path, status, &headers, &text))
    }

    fn run(
        &self,
        head: Builder,
        body: impl AsSendBody,
        patience: Duration,
        stream: bool,
    ) -> Result<Response<Body>, Failure> {
        let request = head
            .body(body)
            .map_err(|error| Failure::new(Kind::Bug, format!("a request to {}: {error}", self.name())))?;
        let request = self
            .agent
            .configure_request(request)
            .timeout_recv_response(Some(patience))
            .timeout_per_read(stream.then_some(STILL))
            .timeout_recv_body((!stream).then_some(SHORT))
            .build();
        self.agent.run(request).map_err(|error| self.unreachable(&error))
    }

    fn head(&self, call: &Call<'_>) -> Result<Builder, Failure> {
        let url = self.access.url.join(&call.path.0);
        let mut request = Request::builder().method(call.method.clone()).uri(url);
        if let Some(token) = &self.access.token {
            let bearer = HeaderValue::try_from(format!("Bearer {}", token.reveal()));
            let mut bearer =
                bearer.map_err(|_| Failure::new(Kind::Usage, "the token cannot stand in a header"))?;
            bearer.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, bearer);
        }
        if let Some(content_type) = call.content_type {
            request = request.header(header::CONTENT_TYPE, content_type);
        }
        if let Some((_, bytes)) = &call.body {
            request = request.header(header::CONTENT_LENGTH, *bytes);
            // A host that refuses says so before a large body is on its way.
            if *bytes > 16 * 1024 {
                request = request.header(header::EXPECT, "100-continue");
            }
        }
        Ok(request)
    }
}

fn config(access: &Access) -> Config {
    let mut builder = Agent::config_builder()
        .http_status_as_error(false)
        // A token follows nobody.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent(concat!("wakeline/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_per_write(Some(STILL))
        .tls_config(tls());
    if access.url.is_loopback() {
        // A proxy's loopback is another machine's.
        builder = builder.proxy(None);
    }
    builder.build()
}

/// The machine's own list of authorities, since a host may have its certificate from an authority of the house;
/// `SSL_CERT_FILE` names another.
fn tls() -> TlsConfig {
    let found = rustls_native_certs::load_native_certs();
    let certificates: Vec<_> = found
        .certs
        .iter()
        .map(|certificate| Certificate::from_der(certificate).to_owned())
        .collect();
    let roots = if certificates.is_empty() {
        RootCerts::WebPki
    } else {
        RootCerts::Specific(Arc::new(certificates))
    };
    TlsConfig::builder().root_certs(roots).build()
}

fn text(mut response: Response<Body>) -> Result<String, ureq::Error> {
    response
        .body_mut()
        .with_config()
        .limit(ANSWER_BYTES_MAX)
        .lossy_utf8(true)
        .read_to_string()
}

impl<'a> Call<'a> {
    fn new(method: Method, path: &'a Path, patience: Patience) -> Self {
        Self {
            method,
            path,
            content_type: None,
            body: None,
            patience,
            stream: false,
        }
    }

    /// `reader` gives `whole`.
    fn body(mut self, content_type: &'static str, whole: &[u8], reader: &'a mut dyn Read) -> Self {
        self.content_type = Some(content_type);
        self.body = Some((reader, whole.len()));
        self
    }
}

impl Patience {
    fn duration(self) -> Duration {
        match self {
            Self::Short => SHORT,
            Self::Compile => COMPILE,
            Self::Wait { ms } => Duration::from_millis(ms).saturating_add(SHORT),
        }
    }
}

impl Path {
    /// Below `/v1/`; every part becomes one segment, whatever is in it.
    pub(crate) fn new(parts: &[&str]) -> Self {
        let mut path = String::from("/v1");
        for part in parts {
            path.push('/');
            encode(part, &mut path);
        }
        Self(path)
    }

    pub(crate) fn query(mut self, name: &str, value: &str) -> Self {
        self.0.push(if self.0.contains('?') { '&' } else { '?' });
        encode(name, &mut self.0);
        self.0.push('=');
        encode(value, &mut self.0);
        self
    }

    /// `/v1/apps/{app}/…`: the app.
    fn app(&self) -> Option<&str> {
        self.0.strip_prefix("/v1/apps/")?.split(['/', '?']).next()
    }
}

fn encode(text: &str, out: &mut String) {
    for byte in text.bytes() {
        // A part of dots alone would be taken out by those who tidy paths.
        let plain = byte.is_ascii_alphanumeric()
            || b"-_~".contains(&byte)
            || (byte == b'.' && text.bytes().any(|byte| byte != b'.'));
        if plain {
            out.push(char::from(byte));
        } else {
            // A text takes all that is written to it.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests;
