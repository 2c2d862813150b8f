//! The ids of nodes and clients in messages: a letter and a number.

/// The number in the id of a node or client: 12 for `n12`. `n012` is no id.
pub(super) fn number(id: &str, prefix: char) -> Option<usize> {
    let digits = id.strip_prefix(prefix)?;
    let canonical = digits == "0" || !digits.starts_with('0');
    (canonical && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| digits.parse().ok()).flatten()
}
