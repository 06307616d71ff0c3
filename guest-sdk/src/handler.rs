use crate::{
    Answer, DisconnectReason, Error, Event, Handshake, Migration, Push, Refusal, Result, Socket,
    timers::Timer,
};

/// What an app does when something happens. Usually written by [`#[handler]`](macro@crate::handler); write it
/// yourself, with [`export!`](crate::export), to dispatch events in your own way.
///
/// There is no `self`: **nothing in memory survives a call**. See [the crate's documentation](crate#what-lasts).
///
/// ```
/// use wakeline_sdk::prelude::*;
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn event(socket: &Socket, event: Event) -> Result<()> {
///         let name = format!("{}-back", event.name());
///         socket.emit(&name, event.into_args())
///     }
/// }
///
/// wakeline_sdk::export!(Echo);
/// # fn main() {}
/// ```
pub trait Handler {
    /// A client wants to join a namespace. Not called again when the client recovers.
    fn connect(socket: &Socket, handshake: &Handshake) -> Result<(), Refusal> {
        let _ = (socket, handshake);
        Ok(())
    }

    /// A client emitted an event.
    fn event(socket: &Socket, event: Event) -> Result<()>;

    /// A client left for good. Its rooms and its state are still readable; emits to it go nowhere.
    fn disconnect(socket: &Socket, reason: DisconnectReason) -> Result<()> {
        let _ = (socket, reason);
        Ok(())
    }

    /// A client answered an event that was sent with [`Socket::emit_with_ack`], or did not.
    fn ack(socket: &Socket, token: &str, answer: Answer) -> Result<()> {
        let _ = (socket, token, answer);
        Ok(())
    }

    /// A timer that was set with [`timers::set`](crate::timers::set) ran out. At least once for each.
    fn timer(timer: Timer) -> Result<()> {
        let _ = timer;
        Ok(())
    }

    /// A backend pushed something (`POST /v1/apps/{app}/push`). It is told the error, if there is one.
    fn push(push: Push) -> Result<()> {
        unhandled_push(&push)
    }

    /// Another version of the app has written this socket's state: answers it in this version's form, as
    /// [`Socket::state`] will read it. Called once, before the socket's next call.
    fn migrate(socket: &Socket, migration: Migration) -> Result<Vec<u8>> {
        let _ = socket;
        Ok(migration.into_bytes())
    }
}

/// What `#[handler]` does with an event that no function takes: a client that waits gets an error.
#[doc(hidden)]
pub fn unhandled(event: &Event) -> Result<()> {
    let message = format!("no handler for the event \"{}\"", event.name());
    crate::debug!("{message}");
    if event.wants_ack() {
        Err(Error::Other(message))
    } else {
        Ok(())
    }
}

/// What `#[handler]` does with a push that no function takes: the backend is told.
#[doc(hidden)]
pub fn unhandled_push(push: &Push) -> Result<()> {
    Err(Error::Other(format!(
        "no handler for the topic \"{}\"",
        push.topic()
    )))
}

/// Exports a type that implements [`Handler`] as the component's handler. `acks`, `timers`, `push` and `migration` after
/// it export [`Handler::ack`], [`Handler::timer`], [`Handler::push`] and [`Handler::migrate`], too:
/// `export!(Chat, acks, timers)`.
///
/// Once in a component. On targets other than wasm32 (unit tests) it exports nothing.
#[macro_export]
macro_rules! export {
    ($type:ty $(, $more:ident)* $(,)?) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            type WakelineGuest = $crate::Guest<$type>;
            $crate::bindings::app::export_handler!(WakelineGuest with_types_in $crate::bindings::app);
            $($crate::__export_more!($more WakelineGuest);)*
        };
        // Elsewhere nothing calls the handler but tests: that is not dead code.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = || $crate::__uses::<$type>();
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __export_more {
    (acks $guest:ident) => {
        $crate::bindings::acks::export_acks_handler!($guest with_types_in $crate::bindings::acks);
    };
    (timers $guest:ident) => {
        $crate::bindings::timers::export_timers_handler!($guest with_types_in $crate::bindings::timers);
    };
    (push $guest:ident) => {
        $crate::bindings::push::export_push_handler!($guest with_types_in $crate::bindings::push);
    };
    (migration $guest:ident) => {
        $crate::bindings::migration::export_migration_handler!($guest with_types_in $crate::bindings::migration);
    };
    ($other:ident $guest:ident) => {
        compile_error!("export! knows `acks`, `timers`, `push` and `migration`");
    };
}

#[doc(hidden)]
pub fn uses<H: Handler>() {
    let _ = (
        H::connect,
        H::event,
        H::disconnect,
        H::ack,
        H::timer,
        H::push,
        H::migrate,
    );
}
