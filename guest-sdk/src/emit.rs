use std::time::Duration;

use serde::de::DeserializeOwned;

use crate::{IntoArgs, Result, host, socket::from_state};

/// All clients of the app in the default namespace; `io().of("/admin")` for another.
pub fn io() -> Io {
    Io {
        namespace: "/".to_owned(),
    }
}

/// The clients of a namespace, on all nodes.
///
/// ```
/// # use wakeline_sdk::prelude::*;
/// fn announce(text: &str) -> Result<()> {
///     io().emit("announcement", text)?;
///     io().to("lobby").except("muted").emit("announcement", text)?;
///     io().of("/admin").to("alerts").volatile().emit("announcement", text)
/// }
/// ```
#[derive(Clone, Debug)]
#[must_use = "nothing happens until an event is emitted"]
pub struct Io {
    namespace: String,
}

impl Io {
    /// The clients of another namespace.
    pub fn of(self, namespace: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
        }
    }

    /// Sends an event to all of the namespace.
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Result<()> {
        self.all().emit(event, args)
    }

    /// Those in a room, or in any of several rooms. A socket's id is a room, too.
    pub fn to(self, rooms: impl IntoRooms) -> Emitter {
        self.all().to(rooms)
    }

    /// Those in none of `rooms`.
    pub fn except(self, rooms: impl IntoRooms) -> Emitter {
        self.all().except(rooms)
    }

    /// All of the namespace.
    pub fn all(self) -> Emitter {
        Emitter::new(self.namespace)
    }
}

/// Clients of a namespace, narrowed by rooms, and what may be done to them.
///
/// A client in several of the rooms gets an event once.
#[derive(Clone, Debug)]
#[must_use = "nothing happens until an event is emitted"]
pub struct Emitter {
    target: Target,
    /// Whether `to` was called: with an empty list it means nobody, whereas a target without rooms is everybody.
    narrowed: bool,
    volatile: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Target {
    pub(crate) namespace: String,
    pub(crate) rooms: Vec<String>,
    pub(crate) except: Vec<String>,
}

impl Emitter {
    pub(crate) fn new(namespace: String) -> Self {
        let target = Target {
            namespace,
            rooms: Vec::new(),
            except: Vec::new(),
        };
        Self {
            target,
            narrowed: false,
            volatile: false,
        }
    }

    /// Adds rooms: clients in any of them are meant. Nobody, if the list is empty.
    pub fn to(mut self, rooms: impl IntoRooms) -> Self {
        self.narrowed = true;
        rooms.append_to(&mut self.target.rooms);
        self
    }

    /// Leaves out clients in any of `rooms`.
    pub fn except(mut self, rooms: impl IntoRooms) -> Self {
        rooms.append_to(&mut self.target.except);
        self
    }

    /// What is emitted may be lost: a client that cannot take it right now, or is away, does not get it later.
    pub fn volatile(mut self) -> Self {
        self.volatile = true;
        self
    }

    /// Sends an event.
    pub fn emit(self, event: &str, args: impl IntoArgs) -> Result<()> {
        if self.means_nobody() {
            return Ok(());
        }
        host::emit(self.target, event, args.into_args()?, self.volatile)
    }

    /// Sends an event to all of them that are connected, on all nodes, and has what they answer within `timeout` given,
    /// as one, to the function with `#[on_ack("token")]` of the socket whose call this is. Nothing is waited for here.
    ///
    /// ```
    /// use wakeline_sdk::prelude::*;
    /// use std::time::Duration;
    ///
    /// struct Vote;
    ///
    /// #[wakeline_sdk::handler]
    /// impl Vote {
    ///     #[on("vote")]
    ///     fn ask(socket: &Socket, question: String) -> Result<()> {
    ///         io().all().emit_with_acks("question", question, "votes", Duration::from_secs(10))
    ///     }
    ///
    ///     #[on_ack("votes")]
    ///     fn count(socket: &Socket, answer: Answer) -> Result<()> {
    ///         let votes = answer.collected().unwrap_or_default();
    ///         let yes = votes.args::<(bool,)>().filter(|(_, (yes,))| *yes).count();
    ///         io().emit("result", (yes, votes.missing.len()))
    ///     }
    /// }
    ///
    /// let app = wakeline_sdk::test::TestApp::new::<Vote>();
    /// let (ann, bob) = (app.connect("/")?, app.connect("/")?);
    /// ann.emit("vote", "tea?")?;
    /// ann.answer_all("votes", &[(&ann, true), (&bob, false)])?;
    /// assert_eq!(bob.received(), [("question", json!(["tea?"])), ("result", json!([1, 0]))]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn emit_with_acks(
        self,
        event: &str,
        args: impl IntoArgs,
        token: &str,
        timeout: Duration,
    ) -> Result<()> {
        let nobody = self.means_nobody();
        let mut target = self.target;
        if nobody {
            // The handler is to hear of it all the same: a room that nobody is in.
            target.rooms.push("\0nobody".to_owned());
        }
        host::emit_with_acks(target, event, args.into_args()?, token, timeout)
    }

    /// Makes them join rooms.
    pub fn join(self, rooms: impl IntoRooms) -> Result<()> {
        if self.means_nobody() {
            Ok(())
        } else {
            host::join(self.target, &collect(rooms))
        }
    }

    /// Makes them leave rooms.
    pub fn leave(self, rooms: impl IntoRooms) -> Result<()> {
        if self.means_nobody() {
            Ok(())
        } else {
            host::leave(self.target, &collect(rooms))
        }
    }

    /// Disconnects them from the namespace.
    pub fn disconnect(self) -> Result<()> {
        if self.means_nobody() {
            Ok(())
        } else {
            host::disconnect(self.target, false)
        }
    }

    /// Closes their whole connections.
    pub fn close(self) -> Result<()> {
        if self.means_nobody() {
            Ok(())
        } else {
            host::disconnect(self.target, true)
        }
    }

    /// Who they are: as they were before this call, whose own joins and state are not applied yet. What calls before it
    /// did whose events were answered is in it, wherever they ran.
    pub fn fetch_sockets(self) -> Result<FetchedSockets> {
        let mut fetched = FetchedSockets::default();
        if self.means_nobody() {
            return Ok(fetched);
        }
        let mut cursor = None;
        loop {
            let (sockets, next, partial) = host::fetch_sockets(&self.target, cursor.as_deref())?;
            fetched.sockets.extend(sockets);
            fetched.missing_nodes.extend(partial);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(fetched),
            }
        }
    }

    fn means_nobody(&self) -> bool {
        self.narrowed && self.target.rooms.is_empty()
    }
}

fn collect(rooms: impl IntoRooms) -> Vec<String> {
    let mut list = Vec::new();
    rooms.append_to(&mut list);
    list
}

/// Sockets found by [`Emitter::fetch_sockets`].
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct FetchedSockets {
    /// Those that were found.
    pub sockets: Vec<RemoteSocket>,
    /// Nodes that did not answer, whose sockets are missing here.
    pub missing_nodes: Vec<String>,
}

impl IntoIterator for FetchedSockets {
    type Item = RemoteSocket;
    type IntoIter = std::vec::IntoIter<RemoteSocket>;

    fn into_iter(self) -> Self::IntoIter {
        self.sockets.into_iter()
    }
}

/// A socket, perhaps on another node, as it was when it was fetched.
#[derive(Clone, Debug)]
pub struct RemoteSocket {
    pub(crate) id: String,
    pub(crate) rooms: Vec<String>,
    pub(crate) state: Vec<u8>,
}

impl RemoteSocket {
    /// The public Socket.IO id. It is a room as well: `io().to(remote.id())`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its rooms, the one named by its id included.
    pub fn rooms(&self) -> &[String] {
        &self.rooms
    }

    /// What [`Socket::set_state`](crate::Socket::set_state) kept, `T::default()` before that.
    pub fn state<T: DeserializeOwned + Default>(&self) -> Result<T> {
        from_state(&self.state)
    }
}

/// Names of rooms: one (`"lobby"`, a `String`) or several (an array, a slice, a `Vec`).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a room's name, nor a list of them",
    note = "pass a string, or an array, a slice or a Vec of strings"
)]
pub trait IntoRooms {
    #[doc(hidden)]
    fn append_to(self, list: &mut Vec<String>);
}

impl IntoRooms for &str {
    fn append_to(self, list: &mut Vec<String>) {
        list.push(self.to_owned());
    }
}

impl IntoRooms for String {
    fn append_to(self, list: &mut Vec<String>) {
        list.push(self);
    }
}

impl IntoRooms for &String {
    fn append_to(self, list: &mut Vec<String>) {
        list.push(self.clone());
    }
}

impl<T: IntoRooms, const N: usize> IntoRooms for [T; N] {
    fn append_to(self, list: &mut Vec<String>) {
        for room in self {
            room.append_to(list);
        }
    }
}

impl<T: IntoRooms> IntoRooms for Vec<T> {
    fn append_to(self, list: &mut Vec<String>) {
        for room in self {
            room.append_to(list);
        }
    }
}

impl<T> IntoRooms for &[T]
where
    for<'a> &'a T: IntoRooms,
{
    fn append_to(self, list: &mut Vec<String>) {
        for room in self {
            room.append_to(list);
        }
    }
}

impl<T> IntoRooms for &Vec<T>
where
    for<'a> &'a T: IntoRooms,
{
    fn append_to(self, list: &mut Vec<String>) {
        for room in self {
            room.append_to(list);
        }
    }
}
