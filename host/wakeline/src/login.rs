//! Hosts under names, and whose token one has.
use serde_json::{Value, json};

use crate::{
    access::{Access, HostUrl, Token},
    cli::{self, ProfilesCommand},
    failure::{Failure, Kind},
    fields::{cell, field, show},
    input,
    profiles::{Profile, Profiles},
    remote::{Path, Remote},
    ui,
};

pub(crate) fn login(arguments: &cli::Login) -> Result<(), Failure> {
    let url = HostUrl::parse(&arguments.host).map_err(|expected| {
        Failure::new(
            Kind::Usage,
            format!("--host: expected {expected}, found {:?}", arguments.host),
        )
    })?;
    // Before a token is asked for: there may be no way to keep it.
    let mut profiles = Profiles::load()?;
    let text = input::secret(&format!("Token for {url}: "))?;
    let token = Token::new(&String::from_utf8_lossy(&text), "stdin")?;
    let profile = Profile {
        host: url.to_string(),
        token: token.reveal().to_owned(),
    };
    let remote = Remote::new(Access {
        url,
        token: Some(token),
        assumed: false,
    });
    let mut whoami = remote.get(&Path::new(&["whoami"]))?;
    profiles.keep(&arguments.profile, profile, arguments.default);
    let path = profiles.save()?;
    ui::step(
        "Kept",
        &format!(
            "{} for {}, as {}, in {}",
            arguments.profile,
            remote.name(),
            who(&whoami),
            path.display()
        ),
    );
    if let Value::Object(whoami) = &mut whoami {
        whoami.insert("profile".to_owned(), json!(arguments.profile));
    }
    show(arguments.json, &whoami, |_| {});
    Ok(())
}

pub(crate) fn profiles(arguments: &cli::Profiles) -> Result<(), Failure> {
    let mut profiles = Profiles::load()?;
    match &arguments.command {
        Some(ProfilesCommand::Default { name }) => {
            profiles.make_default(name)?;
            profiles.save()?;
        }
        Some(ProfilesCommand::Remove { name }) => {
            profiles.remove(name)?;
            profiles.save()?;
        }
        None => {}
    }
    let default = |name: &str| profiles.default_name() == Some(name);
    let all: Vec<Value> = profiles
        .iter()
        .map(|(name, profile)| json!({ "name": name, "host": profile.host, "default": default(name) }))
        .collect();
    show(arguments.json, &json!({ "profiles": all }), |_| {
        let row = |(name, profile): (&str, &Profile)| {
            let mark = if default(name) { "default" } else { "" };
            vec![name.to_owned(), profile.host.clone(), mark.to_owned()]
        };
        let rows: Vec<_> = profiles.iter().map(row).collect();
        ui::table(
            &["PROFILE", "HOST", ""],
            &rows,
            "no host is kept yet: `wakeline login --host URL` keeps one",
        );
    });
    Ok(())
}

pub(crate) fn whoami(arguments: &cli::Whoami) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let answer = remote.get(&Path::new(&["whoami"]))?;
    show(arguments.host.json, &answer, |answer| {
        ui::say(&format!("{} at {}", who(answer), remote.name()));
    });
    Ok(())
}

/// `ci (app chat: read, deploy)`, `root (operator)`.
pub(crate) fn who(whoami: &Value) -> String {
    let of = match (field(whoami, "app"), cell(field(whoami, "scopes"))) {
        (Value::Null, _) => String::new(),
        (app, scopes) => format!(" {}: {scopes}", cell(app)),
    };
    format!(
        "{} ({}{of})",
        cell(field(whoami, "name")),
        cell(field(whoami, "kind"))
    )
}
