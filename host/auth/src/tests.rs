//! Real keys for each algorithm: the elliptic ones are made on the spot, the RSA pair lies beside (making one takes
//! seconds, and ring does not).
mod cache;
mod check;
mod damper;
mod jwks;
mod sign;
