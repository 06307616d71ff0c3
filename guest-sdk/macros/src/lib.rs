//! `#[wakeline_sdk::handler]`. Use it from there; this crate's version is that crate's business.
mod dispatch;
mod parse;

use proc_macro::TokenStream;
use syn::{ItemImpl, parse_macro_input};

/// Makes an `impl` block the app's handler: each function with one of these attributes is called when that
/// happens. Functions without an attribute are ordinary helpers.
///
/// | attribute | called | may take |
/// |---|---|---|
/// | `#[connect]` | when a client wants to join a namespace; an error refuses it | `&Socket`, `&Handshake` |
/// | `#[on("say")]` | for that event | `&Socket`, the event's arguments, `Ack` |
/// | `#[fallback]` | for events without a function | `&Socket`, `Event`, `Ack` |
/// | `#[disconnect]` | when a client left for good | `&Socket`, `DisconnectReason` |
/// | `#[on_ack("token")]`, `#[on_ack]` | for answers to `emit_with_ack` with that token, or any other | `&Socket`, `&str` (the token), `Answer` |
/// | `#[timer("name")]`, `#[timer]` | when that timer, or any other, runs out | `Timer`, or its payload |
/// | `#[push("topic")]`, `#[push]` | when a backend pushes to that topic, or any other | `Push`, or its payload |
/// | `#[migrate]` | for a socket whose state another version wrote; answers the new state | `&Socket`, the old state, `Migration` |
///
/// Parameters are told apart by their type's name and may stand in any order; the rest of an `#[on]` function's
/// parameters are the event's arguments, in order, read with serde. `Option<T>` is an argument that may be missing.
/// Instead of arguments it may take the `Event` itself.
///
/// A function answers `Result<()>`. One with `#[on]` may answer `Result<T>` instead: `T` is then the client's
/// ack: one argument. (For several, take an `Ack` and send a tuple.) One with `#[migrate]` answers the new state.
///
/// `#[connect]`, `#[on]`, `#[fallback]`, `#[disconnect]` and `#[migrate]` take `namespace = "/admin"`, which restricts them to it.
///
/// Mistakes are told where they are made. A handler has no `self`, because nothing in memory survives a call:
///
/// ```text
/// error: a handler has no `self`: nothing in memory survives a call. Keep what must last in `socket.set_state`,
///        in `kv`, or in a room
///   |
/// 9 |     fn say(&self, text: String) -> Result<()> {
///   |            ^^^^^
/// ```
#[proc_macro_attribute]
pub fn handler(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let attributes = proc_macro2::TokenStream::from(attributes);
    if !attributes.is_empty() {
        let message =
            "#[handler] takes no arguments; `namespace = \"…\"` belongs to #[connect], #[on] and so on";
        return syn::Error::new_spanned(attributes, message)
            .into_compile_error()
            .into();
    }
    let mut item = parse_macro_input!(item as ItemImpl);
    let routes = parse::routes(&mut item);
    let expanded = routes.and_then(|routes| dispatch::expand(&item, &routes));
    // The functions stay even if the dispatch is wrong, so that one mistake is one error.
    let dispatch = expanded.unwrap_or_else(syn::Error::into_compile_error);
    quote::quote!(#item #dispatch).into()
}
