//! Attacks that others' advisories describe, each named after its own; `host/SECURITY.md` has the table of all. Each ends
//! with the next client, who is served as if nothing had happened.
mod frames;
mod handshake;
mod http2;
mod packets;
mod requests;
mod tls;

use crate::node::Node;

async fn serves(node: &Node) {
    let mut peer = node.joined().await;
    peer.send_text("42[\"echo\",1]").await;
    assert_eq!(peer.text().await, "42[\"echo-back\",1]");
    let sid = node.open().await;
    assert_eq!(node.post(&sid, "40").await.text(), "ok");
}

/// The most that this process, which is both ends, ever had in memory: an attack is told by how much that grows.
struct Memory {
    peak_kib: u64,
}

impl Memory {
    fn now() -> Self {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        let peak_kib = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        Self { peak_kib }
    }

    #[track_caller]
    fn grew_less_than(&self, mib: u64) {
        let grown = Self::now().peak_kib - self.peak_kib;
        assert!(grown < mib << 10, "{grown} KiB; at most {mib} MiB");
    }
}
