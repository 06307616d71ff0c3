//! The loop of an author: build, serve, watch, reload. A build that fails leaves the running version alone.
use std::{net::SocketAddr, sync::Arc, thread};

use platform::{AppDir, Ceilings};
use server::{Config, Handle, Ready, Server, Stop};

use crate::{
    build, cli,
    failure::{Failure, Kind},
    memory,
    trace::{self, Style},
    ui,
    watch::Watch,
};

pub(crate) fn run(arguments: &cli::Dev) -> Result<(), Failure> {
    memory::share_arenas(server::all_cores());
    let _log = trace::init(&Style {
        filter: "warn,app=off,session::call=error",
        json: false,
    });
    let listen = listen_address(&arguments.listen)?;
    let app = AppDir::load(&arguments.dir, &Ceilings::none())?;
    // Before the build, which may take a minute.
    server::check_listen(listen)?;
    build::build(&app)?;
    let mut config = Config::dev(app.dir.clone(), listen, arguments.data.clone());
    config.on_log = Some(Arc::new(ui::log));
    let server = Server::build(&config)?;
    let handle = server.handle();
    // Its own thread: it blocks on the file system and on cargo. It ends with the process.
    let watched = app.clone();
    thread::spawn(move || keep_current(watched, &handle));
    server.run(|ready| greet(&app, ready), Stop::signals())?;
    Ok(())
}

fn listen_address(text: &str) -> Result<SocketAddr, Failure> {
    // A port alone is what most people mean to change.
    let address = text.parse().or_else(|_| format!("127.0.0.1:{text}").parse());
    address.map_err(|_| {
        Failure::new(
            Kind::Usage,
            format!("--listen: expected an address and port such as 127.0.0.1:3000, found {text:?}"),
        )
    })
}

fn greet(app: &AppDir, ready: &Ready) {
    let url = format!("http://{}", ready.listen);
    ui::listening("http", ready.listen, ready.admin);
    if app.assets.is_some() {
        ui::step("Page", &format!("{url}/"));
    }
    ui::step("Sockets", &format!("io(\"{url}\")"));
    for path in [&app.manifest.raw.websocket, &app.manifest.raw.engineio]
        .into_iter()
        .flatten()
    {
        ui::step("Raw", &format!("ws://{}{path}", ready.listen));
    }
    ui::step("Watching", &format!("{} (Ctrl-C ends)", app.dir.display()));
}

fn keep_current(mut app: AppDir, handle: &Handle) {
    let mut watch = match Watch::new(&app.watch) {
        Ok(watch) => watch,
        Err(error) => {
            let message = format!("cannot watch {}: {error}", app.dir.display());
            return ui::warn(&message, Some("start again after every change"));
        }
    };
    loop {
        watch.wait();
        match refresh(&app, handle) {
            Ok(current) => app = current,
            Err(failure) => {
                ui::failure(&failure);
                ui::step("Still", "running what was built before");
            }
        }
        if watch.paths() != app.watch {
            match Watch::new(&app.watch) {
                Ok(next) => watch = next,
                Err(error) => ui::warn(&format!("cannot watch what build.watch names: {error}"), None),
            }
        }
    }
}

fn refresh(app: &AppDir, handle: &Handle) -> Result<AppDir, Failure> {
    let current = AppDir::load(&app.dir, &Ceilings::none())?;
    build::build(&current)?;
    handle.reload(&current)?;
    ui::step(
        "Reloaded",
        &format!("{}; sockets stay connected", current.manifest.name),
    );
    Ok(current)
}
