//! What a host that says no means for whoever asked.
use std::io;

use serde_json::Value;
use ureq::{
    Error,
    http::{HeaderMap, StatusCode, header},
};

use super::{Path, Remote};
use crate::{
    failure::{Failure, Kind},
    near,
};

impl Remote {
    pub(super) fn refused(
        &self,
        path: &Path,
        status: StatusCode,
        headers: &HeaderMap,
        text: &str,
    ) -> Failure {
        if status.is_redirection() {
            let to = headers
                .get(header::LOCATION)
                .and_then(|to| to.to_str().ok())
                .unwrap_or("elsewhere");
            return Failure::new(
                Kind::Usage,
                format!("{} says that it is at {to} now", self.name()),
            )
            .help("name that address, if you trust it with the token");
        }
        let answer: Option<Value> = serde_json::from_str(text).ok();
        let error = answer.as_ref().and_then(|answer| answer.get("error"));
        let word = |name: &str| {
            let value = error.and_then(|error| error.get(name));
            value.and_then(Value::as_str).unwrap_or_default()
        };
        let (code, message) = (word("code"), word("message"));
        if code.is_empty() && !status.is_server_error() {
            return self.stranger(&format!("it answers {status}"));
        }
        let said = if message.is_empty() {
            format!("{} answers {status}", self.name())
        } else {
            message.to_owned()
        };
        let failure = match answer {
            Some(ref answer) => Failure::new(kind(status, code), said).answer(answer.clone()),
            None => Failure::new(kind(status, code), said),
        };
        self.advise(failure, path, status, code)
    }

    fn advise(&self, failure: Failure, path: &Path, status: StatusCode, code: &str) -> Failure {
        match status {
            StatusCode::UNAUTHORIZED if self.access.token.is_none() => {
                let mut help = format!(
                    "no token was found for {}: `wakeline login --host {}` keeps one, WAKELINE_TOKEN and --token-file give one",
                    self.name(),
                    self.name()
                );
                if self.access.url.is_loopback() {
                    help.push_str(
                        ", and in the folder where `wakeline serve` was started ./wakeline-data/admin-token is found",
                    );
                }
                failure.help(help)
            }
            StatusCode::UNAUTHORIZED => failure.help(format!(
                "{} does not know this token: `wakeline login --host {}` keeps another one",
                self.name(),
                self.name()
            )),
            StatusCode::FORBIDDEN => failure.help(
                "`wakeline whoami` shows what this token may do; an operator makes others with `wakeline tokens create`",
            ),
            StatusCode::NOT_FOUND if code == "no_app" => match self.nearest(path) {
                Some(near) => failure.help(format!("is {near:?} meant? `wakeline apps` shows all")),
                None => failure.help("`wakeline apps` shows those that this token can see"),
            },
            StatusCode::TOO_MANY_REQUESTS => failure.help("wait a little, then try again"),
            _ => failure,
        }
    }

    /// Among the apps that the token can see.
    fn nearest(&self, path: &Path) -> Option<String> {
        let app = path.app()?;
        let answer = self.get(&Path::new(&["apps"]).query("limit", "1000")).ok()?;
        let apps = answer.get("apps")?.as_array()?;
        let names = apps.iter().filter_map(|app| app.get("name")?.as_str());
        near::nearest(app, names).map(str::to_owned)
    }

    fn untrusted(&self, error: &dyn std::error::Error) -> Failure {
        let message = format!("{} cannot be trusted: {error}", self.name());
        Failure::new(Kind::Unavailable, message).help(
            "its certificate must be of an authority that this machine knows, and for this name; SSL_CERT_FILE names a file \
             with other authorities",
        )
    }

    pub(super) fn unreachable(&self, error: &Error) -> Failure {
        let failure = |message| Failure::new(Kind::Unavailable, message);
        let name = self.name();
        match error {
            Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                let failure = failure(format!("nothing listens at {name}"));
                if self.access.assumed {
                    failure.help(
                        "start a host on this machine with `wakeline serve`, or name one: --host URL, or `wakeline login`",
                    )
                } else {
                    failure.help("is it the admin address (`wakeline serve` prints it), and is the host up?")
                }
            }
            Error::HostNotFound => failure(format!("{name}: there is no machine of this name"))
                .help("look at the name, or at this machine's network"),
            Error::Timeout(what) => failure(format!("{name} does not answer in time ({what})"))
                .help("what was asked for may still happen: look before trying again"),
            Error::Rustls(error) => self.untrusted(error),
            // As it comes from within a handshake: rustls's own words.
            Error::Io(error) if error.to_string().starts_with("invalid peer certificate") => {
                self.untrusted(error)
            }
            Error::Protocol(_) | Error::LargeResponseHeader(..) => {
                self.stranger("it does not speak HTTP as a host does")
            }
            Error::Io(error) => match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
                Some(inner) => self.unreachable(inner),
                None => failure(format!("{name} cannot be reached: {error}")),
            },
            error => failure(format!("{name} cannot be reached: {error}")),
        }
    }

    pub(super) fn stranger(&self, why: &str) -> Failure {
        Failure::new(
            Kind::Protocol,
            format!("{} is not a wakeline's admin address: {why}", self.name()),
        )
        .help("`wakeline serve` prints its admin address; clients' address is another one")
    }
}

fn kind(status: StatusCode, code: &str) -> Kind {
    match status.as_u16() {
        // It does not come by waiting.
        409 if code == "no_live_version" => Kind::Missing,
        401 | 403 => Kind::Denied,
        404 | 410 => Kind::Missing,
        405 | 426 | 501 => Kind::Protocol,
        408 | 409 | 425 | 429 | 504 => Kind::Later,
        400..=499 => Kind::App,
        _ => Kind::Unavailable,
    }
}
