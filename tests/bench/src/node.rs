use std::{net::SocketAddr, path::Path, process::Stdio};

use anyhow::{Context, bail};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    process::{Child, Command},
};

/// A real `wakeline serve`, on ports of its own choice; killed when dropped.
pub(crate) struct Node {
    child: Child,
    pub(crate) address: SocketAddr,
    admin: SocketAddr,
    token: String,
    _data: Directory,
}

/// A directory that goes with its owner.
struct Directory(std::path::PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Node {
    /// Serves the app in `app` and waits for the ready line.
    pub(crate) async fn start(app: &Path) -> anyhow::Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("wakeline");
        let data = Directory(std::env::temp_dir().join(format!("wakeline-bench-{}", std::process::id())));
        let mut child = Command::new(&binary)
            .arg("serve")
            .arg(app)
            .args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"])
            .arg(&data.0)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{} does not start", binary.display()))?;
        let mut lines = BufReader::new(child.stdout.take().context("no stdout")?).lines();
        let ready = loop {
            let Some(line) = lines.next_line().await? else {
                bail!("wakeline ended before it was ready")
            };
            if let Some(ready) = line.strip_prefix("wakeline: listening on http://") {
                break ready.to_owned();
            }
        };
        let (address, admin) = ready
            .split_once(", admin on http://")
            .context("the ready line names no admin address")?;
        let token = std::fs::read_to_string(data.0.join("admin-token"))?
            .trim()
            .to_owned();
        Ok(Self {
            child,
            address: address.parse()?,
            admin: admin.parse()?,
            token,
            _data: data,
        })
    }

    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("wakeline has ended")
    }

    /// A sample of `/metrics` by its name and labels as printed, summed over those that start with it.
    pub(crate) async fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let mut stream = TcpStream::connect(self.admin).await?;
        let request = format!(
            "GET /metrics HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            self.admin, self.token
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let samples = answer.lines().filter(|line| line.starts_with(name));
        let values = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        let values: Vec<f64> = values.collect();
        if values.is_empty() {
            bail!("no metric {name} in:\n{answer}");
        }
        Ok(values.into_iter().sum())
    }
}
