//! From an app's folder to a version that is live on every node of a host.
mod bundle;
mod source;

use serde_json::{Value, json};
use ureq::http::Method;

use self::source::Source;
use crate::{
    cli,
    failure::{Failure, Kind},
    fields::field,
    login,
    remote::{Path, Remote},
    rollout, ui,
};

pub(crate) fn run(arguments: &cli::Deploy) -> Result<(), Failure> {
    // First, so that a host that cannot be found costs no build.
    let remote = Remote::find(&arguments.host)?;
    let source = Source::load(&arguments.what, arguments.app.as_deref())?;
    let whoami = remote.get(&Path::new(&["whoami"]))?;
    ui::step(
        "Deploying",
        &format!("{} to {} as {}", source.name, remote.name(), login::who(&whoami)),
    );
    source.build()?;
    let component = source.component()?;
    let assets = source.assets()?;
    describe(&remote, &source, assets.as_deref())?;
    let made = remote.upload(
        Method::POST,
        &Path::new(&["apps", &source.name, "versions"]),
        "the component",
        &component,
    )?;
    let version = version(&made)
        .ok_or_else(|| Failure::new(Kind::Protocol, "the host did not say which version it has made"))?;
    if *field(&made, "existing") == true {
        ui::step("Unchanged", &format!("it is version {version} already"));
    } else {
        ui::step("Checked", &format!("version {version}"));
    }
    let mut answer = rollout::start(
        &remote,
        &Path::new(&["apps", &source.name, "live"]),
        json!({ "version": version, "percent": arguments.share.percent.unwrap_or(100) }),
        &arguments.share.wait,
    )?;
    // One object tells the whole of it.
    if let (Value::Object(answer), Value::Object(made)) = (&mut answer, made) {
        answer.insert("app".to_owned(), json!(source.name));
        made.into_iter()
            .for_each(|(name, value)| _ = answer.entry(name).or_insert(value));
    }
    rollout::finish(&source.name, answer, arguments.host.json)
}

/// Tells the host what the next version is made with, beside its component.
fn describe(remote: &Remote, source: &Source, assets: Option<&[u8]>) -> Result<(), Failure> {
    let app = Path::new(&["apps", &source.name]);
    let Some(manifest) = &source.manifest else {
        // A component alone: manifest and assets stay what they are. A new app needs one.
        return match remote.get(&app) {
            Ok(_) => Ok(()),
            Err(failure) if failure.kind == Kind::Missing => {
                remote.put(&app, "application/toml", b"")?;
                ui::step("Created", &format!("{}, without a manifest", source.name));
                Ok(())
            }
            Err(failure) => Err(failure),
        };
    };
    let put = remote.put(&app, "application/toml", manifest.as_bytes())?;
    if *field(&put, "created") == true {
        ui::step("Created", &source.name);
    }
    let path = Path::new(&["apps", &source.name, "assets"]);
    match assets {
        Some(bundle) => _ = remote.upload(Method::PUT, &path, "the assets", bundle)?,
        None => _ = remote.delete(&path)?,
    }
    Ok(())
}

fn version(answer: &Value) -> Option<u32> {
    field(answer, "version")
        .as_u64()
        .and_then(|version| version.try_into().ok())
}
