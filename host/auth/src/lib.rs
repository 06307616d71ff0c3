//! Who a client is: JSON Web Tokens (RFC 7519) against what an app's manifest says of them.
//!
//! Checking a token is without input or output: [`Policy`], a key and the time decide ([`check`]). Where keys are
//! published by somebody else (a JWKS, RFC 7517), [`KeyCache`] keeps them, apart for each app, issuer and URL, and
//! fetches them through [`Fetch`], which the server implements. [`Verifier`] puts both together and slows down those
//! who guess ([`Damper`]).
//!
//! The form of tokens is simple enough to be read here ([`token`]); the cryptography is ring's. Libraries for tokens have
//! more in them than there is to do, and are where the traps were: an algorithm that the token chooses, claims of
//! the wrong type that are not looked at.
//!
//! *Invariant:* nothing of a token chooses what it is checked with, but the id of a key among those that the app
//! trusts: not the algorithm, not the issuer, never a URL.
mod verifier;

mod check;
mod policy;
mod subject;

mod cache;
mod jwks;
mod shelf;

mod damper;
mod keys;
mod pem;
mod token;

pub use cache::{Fetch, FetchError, FetchRequest, KeyCache};
pub use check::{Rejection, Verified, check};
pub use damper::Damper;
pub use jwks::{JWKS_BYTES_MAX, KeySet, KeySetError};
pub use keys::{Algorithm, Key};
pub use policy::{Policy, PolicyError, Trust};
pub use token::TOKEN_BYTES_MAX;
pub use verifier::Verifier;

#[cfg(test)]
mod tests;
