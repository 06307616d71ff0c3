use serde_json::Value;

use crate::{
    cli::{self, SecretCommand},
    failure::Failure,
    fields::{cell, rows, show},
    input,
    remote::{Path, Remote},
    ui,
};

pub(crate) fn run(arguments: &cli::Secrets) -> Result<(), Failure> {
    let remote = Remote::find(&arguments.host)?;
    let json = arguments.host.json;
    match &arguments.command {
        SecretCommand::List { app } => {
            let answer = remote.get(&Path::new(&["apps", app, "secrets"]))?;
            show(json, &answer, |answer| {
                let row = |secret: &Value| {
                    let name = secret.get("name").unwrap_or(secret);
                    vec![cell(name)]
                };
                ui::table(
                    &["NAME"],
                    &rows(answer, "secrets", row),
                    "the app has no secrets yet: `wakeline secrets set APP KEY` makes one",
                );
            });
        }
        SecretCommand::Set { app, key } => {
            let value = input::secret(&format!("Value of {key}: "))?;
            let path = Path::new(&["apps", app, "secrets", key]);
            let answer = remote.put(&path, "application/octet-stream", &value)?;
            ui::step("Set", &format!("{key} of {app}"));
            show(json, &answer, |_| {});
        }
        SecretCommand::Unset { app, key } => {
            let answer = remote.delete(&Path::new(&["apps", app, "secrets", key]))?;
            ui::step("Unset", &format!("{key} of {app}"));
            show(json, &answer, |_| {});
        }
    }
    Ok(())
}
