//! Regular expressions as they are written for Java, brought to the syntax of the `regex` crate.
//!
//! Called before a pattern is compiled. What always holds: what comes out is matched in linear time or refused by the crate; look-around and
//! back references, which cannot be matched so, stay refused.

use std::borrow::Cow;

/// The pattern with each `\Q..\E` written out: what stands within stands for itself. Without `\E` it goes on to the end, as in Java.
pub(crate) fn java_quoting(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains("\\Q") {
        return Cow::Borrowed(pattern);
    }
    let mut written = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        written.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(quoted) = rest.strip_prefix("\\Q") {
            let (literal, behind) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            written.push_str(&regex::escape(literal));
            rest = behind;
        } else {
            // An escape is taken whole: in `\\\\Q` the backslash is quoted and the `Q` is a letter.
            let escaped = rest.chars().take(2).map(char::len_utf8).sum();
            written.push_str(&rest[..escaped]);
            rest = &rest[escaped..];
        }
    }
    written.push_str(rest);
    Cow::Owned(written)
}

#[cfg(test)]
mod tests {
    use super::java_quoting;

    #[test]
    fn what_is_quoted_stands_for_itself() {
        assert_eq!(java_quoting(r"a.b"), r"a.b");
        assert_eq!(java_quoting(r"\Qa.b\E.*"), r"a\.b.*");
        assert_eq!(java_quoting(r"x\Q(\E|\Q[\E"), r"x\(|\[");
        assert_eq!(java_quoting(r"\Qa.b"), r"a\.b");
        assert_eq!(java_quoting(r"\\Qa.b\Q.\E"), r"\\Qa.b\.");
        assert_eq!(java_quoting(r"\Q\E\"), r"\");
    }
}
