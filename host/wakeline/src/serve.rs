use server::{Config, Env, File, Server, Stop, Strings};

use crate::{
    cli,
    failure::Failure,
    memory,
    trace::{self, Style},
    ui,
};

/// A call that failed is in the app's log already.
const UNTRACED: &str = "warn,app=info,session::call=error";
const TRACED: &str = "warn,app=info,trace=info,session::call=error";

pub(crate) fn run(arguments: &cli::Serve) -> Result<(), Failure> {
    let file = arguments.config.as_deref().map(File::load).transpose()?;
    let mut layers: Vec<&dyn Strings> = vec![arguments, &Env];
    layers.extend(file.as_ref().map(|file| file as &dyn Strings));
    let mut config = Config::from_layers(&layers, &arguments.apps)?;
    memory::share_arenas(config.cores);
    let _log = trace::init(&Style {
        filter: if config.trace { TRACED } else { UNTRACED },
        json: config.log_json,
    });
    if let Some(file) = &file {
        config.ceilings = file.ceilings()?;
    }
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let server = Server::build(&config)?;
    server.run(
        |ready| ui::listening(scheme, ready.listen, ready.admin),
        Stop::signals(),
    )?;
    Ok(())
}
