//! What sessions, of which there are many and nearly all idle, keep short lists and times in: values without a protocol,
//! in fewer bytes than the standard library's.
mod few;
mod moment;

pub use few::Few;
pub use moment::Moment;

#[cfg(test)]
mod tests;
