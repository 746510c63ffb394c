//! Text that others wrote, made fit for a terminal and a result: no escape codes, and an end.

/// How much of a text is kept, in characters: the first errors, which cause the rest.
pub const KEPT: usize = 20_000;

/// Returns the start of `text`, at most [`KEPT`] characters of it, with everything visible: what moves a cursor, rings a
/// bell or turns the direction of writing is spelled out, as in a string of Rust's. Line ends and tabs stay.
pub fn plain(text: &str) -> String {
    let mut kept = String::new();
    for (at, character) in text.chars().enumerate() {
        if at == KEPT {
            kept.push_str("\n[…]");
            break;
        }
        match character {
            '\n' | '\t' | '\'' | '"' | '\\' => kept.push(character),
            _ => kept.extend(character.escape_debug()),
        }
    }
    kept
}

/// Returns `name`, of a file or a directory, in one line.
pub fn name(name: impl AsRef<std::path::Path>) -> String {
    plain(&name.as_ref().to_string_lossy()).replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_character_acts_on_a_terminal() {
        assert_eq!(plain("a\u{1B}[31m\r\u{7}\u{202E}\u{9B}b"), "a\\u{1b}[31m\\r\\u{7}\\u{202e}\\u{9b}b");
        assert_eq!(plain("it's \"ü\" \\ \t\n"), "it's \"ü\" \\ \t\n");
        assert_eq!(name("a\n\tb"), "a\\n\\tb");
    }

    #[test]
    fn what_is_long_has_an_end_and_says_so() {
        let long = plain(&"é".repeat(KEPT + 1));
        assert_eq!(long.chars().filter(|c| *c == 'é').count(), KEPT);
        assert!(long.ends_with("[…]"));
    }
}
