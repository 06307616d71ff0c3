/// What a client did wrong. For logs; on the wire all of them close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    #[error("no namespace joined in time")]
    ConnectTimeout,
    #[error("malformed packet")]
    Malformed,
    #[error("second CONNECT to a namespace")]
    ConnectedTwice,
    #[error("more than {} namespaces", crate::connection::NAMESPACES_MAX)]
    TooManyNamespaces,
    #[error("CONNECT_ERROR from a client")]
    ConnectError,
    #[error("packet for a namespace that is not joined")]
    NotJoined,
    #[error("reserved event name")]
    ReservedName,
    #[error("more than {} attachments", crate::ATTACHMENTS_MAX)]
    TooManyAttachments,
    #[error("text where an attachment was due")]
    AttachmentMissing,
    #[error("attachment that did not come in time")]
    AttachmentLate,
    #[error("binary message that no packet announced")]
    AttachmentUnannounced,
    #[error("placeholder without its attachment")]
    IllegalPlaceholder,
}
