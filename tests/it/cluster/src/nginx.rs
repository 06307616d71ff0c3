//! nginx before the nodes, with the configuration that the documentation shows.
use std::{fmt::Write as _, fs, path::Path, time::Duration};

use anyhow::{Context as _, Result, ensure};

use crate::{Process, free_port, get, until};

/// What an operator writes, and the documentation explains.
const SITE: &str = include_str!("../../../../examples/deploy/nginx.conf");

/// For many clients: two descriptors each, spread over processes that may have 20,000 each.
const AROUND: &str = "\
user root;
pid PREFIX/nginx.pid;
error_log PREFIX/nginx.log warn;
worker_processes 4;
worker_rlimit_nofile 20000;
events { worker_connections 9000; }
http {
    access_log off;
    client_body_temp_path PREFIX/nginx-body;
    proxy_temp_path PREFIX/nginx-proxy;
    fastcgi_temp_path PREFIX/nginx-fastcgi;
    uwsgi_temp_path PREFIX/nginx-uwsgi;
    scgi_temp_path PREFIX/nginx-scgi;
    include PREFIX/nginx-site.conf;
}
";

const READY: Duration = Duration::from_secs(30);

/// An nginx with workers; ends when dropped.
pub struct Nginx {
    /// `127.0.0.1:PORT`.
    pub address: String,
    process: Process,
}

impl Nginx {
    /// In turn before `nodes`, addresses.
    pub fn start(directory: &Path, nodes: &[String]) -> Result<Self> {
        let address = format!("127.0.0.1:{}", free_port()?);
        fs::write(directory.join("nginx-site.conf"), site(&address, nodes)?)?;
        let prefix = directory
            .to_str()
            .context("the folder's name is not UTF-8")?
            .to_owned();
        let config = directory.join("nginx.conf");
        fs::write(&config, AROUND.replace("PREFIX", &prefix))?;
        let arguments = vec![
            "-p".into(),
            prefix.into(),
            "-c".into(),
            config.into(),
            "-g".into(),
            "daemon off;".into(),
        ];
        let process = Process::start("nginx", program(), arguments, directory)
            .context("Debian: apt-get install nginx")?;
        let mut nginx = Self { address, process };
        nginx.wait_until_ready()?;
        Ok(nginx)
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Every client's connection is closed at once.
    pub fn end(&mut self) -> Result<()> {
        // TERM, not KILL: the workers are not ours, and would outlive their master.
        self.process.terminate(READY)?;
        Ok(())
    }

    pub fn start_again(&mut self) -> Result<()> {
        self.process.start_again()?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        until(READY, "nginx ready", || {
            self.process.must_run()?;
            // Whatever the nodes answer.
            Ok(get(&self.address, "/").ok())
        })?;
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// The site with these addresses in place of the documentation's.
pub(crate) fn site(address: &str, nodes: &[String]) -> Result<String> {
    let mut site = String::new();
    let mut servers = 0;
    for line in SITE.lines() {
        let word = line.trim_start();
        if word.starts_with("server node-") {
            if servers == 0 {
                let lines = nodes
                    .iter()
                    .map(|node| format!("    server {node} fail_timeout=2s;\n"));
                site.extend(lines);
            }
            servers += 1;
        } else if word.starts_with("listen ") {
            // Each worker with a queue of its own: clients that come all at once are spread evenly.
            let _ = writeln!(site, "    listen {address} reuseport backlog=16384;");
        } else {
            site.push_str(line);
            site.push('\n');
        }
    }
    ensure!(
        servers > 0 && site.contains(address),
        "examples/deploy/nginx.conf names other addresses than this looks for"
    );
    Ok(site)
}

/// Debian has it where only root's PATH leads.
fn program() -> &'static str {
    if Path::new("/usr/sbin/nginx").exists() {
        "/usr/sbin/nginx"
    } else {
        "nginx"
    }
}
