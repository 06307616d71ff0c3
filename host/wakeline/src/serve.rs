use server::{Config, Env, File, Server, Stop, Strings};

use crate::{cli, client, failure::Failure, trace, ui};

pub(crate) fn run(arguments: &cli::Serve) -> Result<(), Failure> {
    trace::init("warn,app=info,session::call=error");
    let file = arguments.config.as_deref().map(File::load).transpose()?;
    let mut layers: Vec<&dyn Strings> = vec![arguments, &Env];
    layers.extend(file.as_ref().map(|file| file as &dyn Strings));
    let mut config = Config::from_layers(&layers, &arguments.apps)?;
    config.client_dir = config.client_dir.or_else(client::find);
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
