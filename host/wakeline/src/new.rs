//! A new app, from the template of the SDK.
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use platform::{MANIFEST_FILE, check_app_name};
use serde_json::json;

use crate::{
    cli,
    failure::{Failure, Kind},
    ui,
};

/// Files of the template, by their place in the new folder.
const TEMPLATE: &[(&str, &str)] = &[
    (
        MANIFEST_FILE,
        include_str!("../../../guest-sdk/template/wakeline.toml.tmpl"),
    ),
    (
        "Cargo.toml",
        include_str!("../../../guest-sdk/template/Cargo.toml.tmpl"),
    ),
    (
        "README.md",
        include_str!("../../../guest-sdk/template/README.md.tmpl"),
    ),
    (
        ".gitignore",
        include_str!("../../../guest-sdk/template/gitignore.tmpl"),
    ),
    (
        "src/lib.rs",
        include_str!("../../../guest-sdk/template/src/lib.rs.tmpl"),
    ),
    (
        "public/index.html",
        include_str!("../../../guest-sdk/template/public/index.html"),
    ),
];

/// The SDK of the checkout that this program was built from, if that is still there.
const CHECKOUT_SDK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../guest-sdk");

pub(crate) fn run(arguments: &cli::New) -> Result<(), Failure> {
    let folder = Path::new(&arguments.name);
    let name = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    if let Err(expected) = check_app_name(&name) {
        return Err(Failure::new(
            Kind::Usage,
            format!("expected {expected}, found the name {name:?}"),
        ));
    }
    if fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some()) {
        return Err(Failure::new(
            Kind::Usage,
            format!("the folder {} is not empty", folder.display()),
        )
        .help("take another name, or remove the folder"));
    }
    let sdk = sdk_dependency();
    for (place, text) in TEMPLATE {
        let path = folder.join(place);
        let text = text.replace("{{name}}", &name).replace("{{sdk}}", &sdk);
        write(&path, &text).map_err(|error| {
            Failure::new(
                Kind::Unavailable,
                format!("cannot write {}: {error}", path.display()),
            )
        })?;
    }
    ui::step(
        "Created",
        &format!(
            "{} ({MANIFEST_FILE}, src/lib.rs, public/index.html)",
            folder.display()
        ),
    );
    ui::step("Next", &format!("wakeline dev {}", folder.display()));
    ui::step(
        "Then",
        &format!("wakeline deploy {} makes it live on a host", folder.display()),
    );
    if arguments.json {
        ui::json(&json!({ "name": name, "dir": folder }));
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    fs::write(path, text)
}

/// What stands behind `wakeline-sdk = ` in the new app's Cargo.toml.
fn sdk_dependency() -> String {
    match PathBuf::from(CHECKOUT_SDK).canonicalize() {
        Ok(sdk) => format!("{{ path = {:?} }}", sdk.display().to_string()),
        Err(_) => format!("{:?}", env!("CARGO_PKG_VERSION")),
    }
}
