use std::sync::Arc;

/// Whom a token is about, as one text: issuer and subject. Tokens of one issuer without `sub` are all of one.
pub(crate) fn subject(issuer: Option<&str>, subject: Option<&str>) -> Arc<str> {
    // As JSON, so that no choice of names makes two subjects look alike.
    serde_json::json!([issuer, subject]).to_string().into()
}
