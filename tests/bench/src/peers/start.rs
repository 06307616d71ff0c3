//! How each server is started: as somebody would who has read its documentation.
use std::{
    ffi::OsString,
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use ::cluster::{Process, free_port};
use anyhow::Context;

use super::{Peer, Running, Setting, install};
use crate::{client::Target, guard::valgrind, machine};

/// Processes of one server, being started.
struct Stack<'a> {
    setting: &'a Setting,
    directory: PathBuf,
    processes: Vec<Process>,
}

pub(super) fn start(peer: Peer, setting: &Setting) -> anyhow::Result<Running> {
    let directory =
        std::env::temp_dir().join(format!("wakeline-bench-{}-{}", std::process::id(), free_port()?));
    fs::create_dir_all(&directory)?;
    let mut stack = Stack {
        setting,
        directory,
        processes: Vec::new(),
    };
    let (mut prefix, mut admin) = ("", None);
    let ports = match peer {
        Peer::Wakeline | Peer::WakelinePlain => {
            prefix = "/bench";
            let (port, told) = stack.wakeline(peer)?;
            admin = Some(told);
            vec![port]
        }
        Peer::Epoll | Peer::Hyper | Peer::Socketioxide => vec![stack.native(peer.name())?],
        Peer::Node => vec![stack.node("none", 0)?],
        Peer::NodeRecovery => vec![stack.node("recovery", 0)?],
        Peer::NodeRedis => {
            let redis = stack.redis()?;
            vec![stack.node("redis", redis)?, stack.node("redis", redis)?]
        }
        Peer::Flask => vec![stack.flask(None)?],
        Peer::FlaskNginx => {
            let redis = stack.redis()?;
            let servers = [stack.flask(Some(redis))?, stack.flask(Some(redis))?];
            vec![stack.nginx(&servers)?]
        }
    };
    let targets = ports.into_iter().map(|port| Target {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
        prefix: prefix.to_owned(),
    });
    Ok(Running {
        targets: targets.collect(),
        admin,
        processes: stack.processes,
        directory: stack.directory,
    })
}

impl Stack<'_> {
    /// On the cores that are the servers'.
    fn run(&mut self, name: &str, program: &Path, words: Vec<OsString>) -> anyhow::Result<()> {
        let process = match self.setting.cores {
            Some(cores) if machine::is_pinned() => {
                let mut pinned: Vec<OsString> = vec!["-c".into(), cores.into(), program.into()];
                pinned.extend(words);
                Process::start(name, "taskset", pinned, &self.directory)?
            }
            _ => Process::start(name, program, words, &self.directory)?,
        };
        self.processes.push(process);
        Ok(())
    }

    /// The port and the admin address.
    fn wakeline(&mut self, peer: Peer) -> anyhow::Result<(u16, String)> {
        let app = self.app(peer == Peer::Wakeline)?;
        let (port, admin) = (free_port()?, format!("127.0.0.1:{}", free_port()?));
        let data = self.directory.join("data");
        let mut words: Vec<OsString> = vec![
            "serve".into(),
            app.into(),
            "--listen".into(),
            format!("127.0.0.1:{port}").into(),
            "--admin".into(),
            (&admin).into(),
            "--data".into(),
            data.into(),
            "--cores".into(),
            self.setting.threads.to_string().into(),
        ];
        let program = install::wakeline()?;
        if self.setting.counted {
            // valgrind has no room for the addresses that a pool of many would reserve.
            words.extend(["--instances".into(), "4".into()]);
            let mut under = valgrind(&self.directory);
            under.push(program.into());
            under.extend(words);
            self.run("valgrind", Path::new("valgrind"), under)?;
        } else {
            self.run("wakeline", &program, words)?;
        }
        Ok((port, admin))
    }

    /// The app of examples/bench, for more connections than anyone measures here, with or without recovery.
    fn app(&self, recovers: bool) -> anyhow::Result<PathBuf> {
        let example = install::root().join("examples/bench");
        let manifest = fs::read_to_string(example.join("wakeline.toml"))?;
        let component = fs::canonicalize(example.join("../target/wasm32-wasip2/release/bench.wasm"))
            .context("the handler is missing: cargo xtask guests")?;
        let mut lines = String::new();
        for line in manifest.lines() {
            if line.starts_with("component") {
                _ = writeln!(lines, "component = \"{}\"", component.display());
            } else if line == "[limits]" {
                lines.push_str("[limits]\nconnections = 100000\n");
            } else {
                lines.push_str(line);
                lines.push('\n');
            }
        }
        if !recovers {
            lines.push_str("\n[recovery]\nwindow_ms = 0\n");
        }
        let app = self.directory.join("bench");
        fs::create_dir_all(&app)?;
        fs::write(app.join("wakeline.toml"), lines)?;
        Ok(app)
    }

    fn native(&mut self, name: &str) -> anyhow::Result<u16> {
        let port = free_port()?;
        self.run(name, &install::native(name), vec![port.to_string().into()])?;
        Ok(port)
    }

    fn node(&mut self, adapter: &str, redis: u16) -> anyhow::Result<u16> {
        let port = free_port()?;
        let program = install::javascript().join("server.mjs");
        let words = vec![
            program.into(),
            port.to_string().into(),
            adapter.into(),
            redis.to_string().into(),
        ];
        self.run(&format!("node-{port}"), Path::new("node"), words)?;
        Ok(port)
    }

    fn redis(&mut self) -> anyhow::Result<u16> {
        let port = free_port()?;
        let words = ["--port", &port.to_string(), "--save", "", "--bind", "127.0.0.1"];
        let words = words.map(Into::into).to_vec();
        self.run("redis", Path::new("redis-server"), words)?;
        // Those that want it do not wait for it.
        ::cluster::until(std::time::Duration::from_secs(20), "redis ready", || {
            Ok(std::net::TcpStream::connect(("127.0.0.1", port)).ok())
        })?;
        Ok(port)
    }

    fn flask(&mut self, redis: Option<u16>) -> anyhow::Result<u16> {
        let port = free_port()?;
        let mut words: Vec<OsString> = vec![format!("PYTHONPATH={}", install::python().display()).into()];
        words.extend(redis.map(|redis| format!("REDIS=redis://127.0.0.1:{redis}/0").into()));
        words.extend(
            [
                "python3",
                "-m",
                "gunicorn",
                "--worker-class",
                "eventlet",
                "-w",
                "1",
            ]
            .map(Into::into),
        );
        words.extend(["--worker-connections", "20000", "--log-level", "warning"].map(Into::into));
        words.extend(["--bind".into(), format!("127.0.0.1:{port}").into()]);
        words.push("--chdir".into());
        words.push(install::flask().into());
        words.push("server:app".into());
        self.run(&format!("gunicorn-{port}"), Path::new("env"), words)?;
        Ok(port)
    }

    fn nginx(&mut self, servers: &[u16]) -> anyhow::Result<u16> {
        let port = free_port()?;
        let conf = self.directory.join("nginx.conf");
        fs::write(&conf, site(port, servers, &self.directory))?;
        let words = vec![
            "-c".into(),
            conf.into(),
            "-p".into(),
            self.directory.clone().into(),
        ];
        self.run("nginx", Path::new(install::nginx()), words)?;
        Ok(port)
    }
}

/// What Flask-SocketIO's documentation tells to write, and room for many clients. A server that failed once is asked again:
/// sent to the other, a session of long polling would be unknown there.
fn site(port: u16, servers: &[u16], directory: &Path) -> String {
    let mut lines = String::new();
    for server in servers {
        _ = writeln!(lines, "    server 127.0.0.1:{server} max_fails=0;");
    }
    let directory = directory.display();
    format!(
        "daemon off;\nworker_processes 1;\nworker_rlimit_nofile 20000;\npid {directory}/nginx.pid;\n\
         error_log stderr warn;\nevents {{ worker_connections 19000; }}\nhttp {{\n  access_log off;\n\
         client_body_temp_path {directory}/b;\n  proxy_temp_path {directory}/p;\n  fastcgi_temp_path {directory}/f;\n  \
         uwsgi_temp_path {directory}/u;\n  scgi_temp_path {directory}/s;\n  upstream chat {{\n    ip_hash;\n{lines}  }}\n  \
         server {{\n    listen 127.0.0.1:{port} backlog=16384;\n    location / {{ proxy_pass http://chat; }}\n    \
         location /socket.io {{\n      proxy_http_version 1.1;\n      proxy_buffering off;\n      \
         proxy_set_header Upgrade $http_upgrade;\n      proxy_set_header Connection \"Upgrade\";\n      \
         proxy_pass http://chat/socket.io;\n    }}\n  }}\n}}\n"
    )
}
