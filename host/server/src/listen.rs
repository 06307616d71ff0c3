use std::{io, net::SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that the kernel may hold while no core accepts.
const BACKLOG: i32 = 4096;

/// One listener for each core, on one address: the kernel shares connections out among them, so that no core takes
/// another's and none waits for an acceptor.
pub(crate) fn bind(addr: SocketAddr, listeners: usize) -> io::Result<Vec<std::net::TcpListener>> {
    // With SO_REUSEPORT alone a second server of the same user would silently share the port with us.
    refuse_if_taken(addr)?;
    let first = bind_one(addr)?;
    let addr = first.local_addr()?;
    let mut all = vec![first];
    for _ in 1..listeners {
        all.push(bind_one(addr)?);
    }
    Ok(all)
}

fn refuse_if_taken(addr: SocketAddr) -> io::Result<()> {
    if addr.port() == 0 {
        return Ok(());
    }
    let probe = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // Connections of the last run that linger must not count as taken.
    probe.set_reuse_address(true)?;
    probe.bind(&addr.into())?;
    probe.listen(1)
}

fn bind_one(addr: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
