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
    pub(crate) admin: SocketAddr,
    pub(crate) token: String,
    data: Directory,
}

/// A directory that goes with its owner.
struct Directory(std::path::PathBuf);

impl Drop for Directory {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Node {
    /// A host without apps, whose data folder is gone with it.
    pub(crate) async fn host(name: &str) -> anyhow::Result<Self> {
        let data = std::env::temp_dir().join(format!("wakeline-bench-{}-{name}", std::process::id()));
        Self::start_in(Directory(data)).await
    }

    /// Ends it and starts it anew with what it had stored.
    pub(crate) async fn restart(mut self) -> anyhow::Result<Self> {
        let pid = self.pid()?.to_string();
        Command::new("kill").arg(pid).status().await?;
        self.child.wait().await?;
        Self::start_in(self.data).await
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data.0
    }

    async fn start_in(data: Directory) -> anyhow::Result<Self> {
        let binary = std::env::current_exe()?.with_file_name("wakeline");
        let mut child = Command::new(&binary)
            .arg("serve")
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
            data,
        })
    }

    pub(crate) fn pid(&self) -> anyhow::Result<u32> {
        self.child.id().context("wakeline has ended")
    }

    /// A sample of `/metrics` by its name as printed and one of its labels, summed over those that have both.
    pub(crate) async fn metric_with(&self, name: &str, label: &str) -> anyhow::Result<f64> {
        let mut stream = TcpStream::connect(self.admin).await?;
        let request = format!(
            "GET /metrics HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
            self.admin, self.token
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let samples = answer
            .lines()
            .filter(|line| line.starts_with(name) && line.contains(label));
        let values = samples.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok());
        let values: Vec<f64> = values.collect();
        if values.is_empty() {
            bail!("no metric {name} in:\n{answer}");
        }
        Ok(values.into_iter().sum())
    }
}
