//! Keys, from the bytes that a terminal sends for them.

/// A key that means something to the line editor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Key {
    /// A printable character of ASCII.
    Character(u8),
    Enter,
    Tab,
    /// Deletes the character before the cursor.
    Backspace,
    /// Deletes the character under the cursor.
    Delete,
    Left,
    Right,
    Up,
    Down,
    Home,
    End,
    /// Control-C: gives the line up.
    Cancel,
    /// Control-D: deletes the character under the cursor, or ends the input if the line is empty.
    DeleteOrEnd,
    /// Control-L: clears the screen but for the line.
    ClearScreen,
    /// Control-U: deletes everything before the cursor.
    DeleteBefore,
    /// Control-K: deletes everything from the cursor on.
    DeleteAfter,
}

/// Puts keys together from the bytes of a terminal (ECMA-48, as xterm sends them).
#[derive(Clone, Copy, Debug)]
pub struct Keys {
    state: State,
}

#[derive(Clone, Copy, Default, Debug)]
enum State {
    #[default]
    Plain,
    Escape,
    /// After `ESC [` or `ESC O`, with the last digit that came.
    Sequence(u8),
}

impl Keys {
    /// Nothing has come yet.
    pub const NONE: Self = Self { state: State::Plain };

    /// Takes a byte, and returns the key that it completes.
    pub fn add(&mut self, byte: u8) -> Option<Key> {
        let state = core::mem::take(&mut self.state);
        match (state, byte) {
            (State::Escape, b'[' | b'O') => self.state = State::Sequence(0),
            (State::Sequence(_), b'0'..=b'9' | b';') => self.state = State::Sequence(byte),
            (State::Sequence(number), last) => return sequence(number, last),
            (_, 0x1B) => self.state = State::Escape,
            (_, byte) => return from_byte(byte),
        }
        None
    }
}

/// Returns the key of a single byte, if there is one.
pub const fn from_byte(byte: u8) -> Option<Key> {
    const fn control(letter: u8) -> u8 {
        letter - b'A' + 1
    }
    const KEYS: [(u8, Key); 16] = [
        (b'\r', Key::Enter),
        (b'\n', Key::Enter),
        (b'\t', Key::Tab),
        (0x08, Key::Backspace),
        (0x7F, Key::Backspace),
        (control(b'A'), Key::Home),
        (control(b'E'), Key::End),
        (control(b'B'), Key::Left),
        (control(b'F'), Key::Right),
        (control(b'P'), Key::Up),
        (control(b'N'), Key::Down),
        (control(b'C'), Key::Cancel),
        (control(b'D'), Key::DeleteOrEnd),
        (control(b'L'), Key::ClearScreen),
        (control(b'U'), Key::DeleteBefore),
        (control(b'K'), Key::DeleteAfter),
    ];
    let mut index = 0;
    while index < KEYS.len() {
        if KEYS[index].0 == byte {
            return Some(KEYS[index].1);
        }
        index += 1;
    }
    if matches!(byte, b' '..=b'~') { Some(Key::Character(byte)) } else { None }
}

/// Returns the key of a character that a keyboard's layout gives. There, unlike on a terminal, U+007F is the Delete key.
pub fn from_keyboard(character: char) -> Option<Key> {
    match character {
        '\u{7F}' => Some(Key::Delete),
        _ => u8::try_from(character).ok().and_then(from_byte),
    }
}

fn sequence(number: u8, last: u8) -> Option<Key> {
    match (number, last) {
        (_, b'A') => Some(Key::Up),
        (_, b'B') => Some(Key::Down),
        (_, b'C') => Some(Key::Right),
        (_, b'D') => Some(Key::Left),
        (_, b'H') | (b'1' | b'7', b'~') => Some(Key::Home),
        (_, b'F') | (b'4' | b'8', b'~') => Some(Key::End),
        (b'3', b'~') => Some(Key::Delete),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::NONE;
        bytes.iter().filter_map(|byte| keys.add(*byte)).collect()
    }

    #[test]
    fn escape_sequences_become_keys() {
        assert_eq!(keys(b"a\x1B[Db"), [Key::Character(b'a'), Key::Left, Key::Character(b'b')]);
        assert_eq!(keys(b"\x1B[3~\x1BOH\x1B[1;5C\r"), [Key::Delete, Key::Home, Key::Right, Key::Enter]);
    }

    #[test]
    fn delete_and_backspace_of_a_keyboard_are_two_keys() {
        assert_eq!(['\u{7F}', '\u{8}', 'ä'].map(from_keyboard), [Some(Key::Delete), Some(Key::Backspace), None]);
    }

    #[test]
    fn what_is_no_key_is_dropped_and_disturbs_nothing() {
        assert_eq!(keys(b"\x00\xFF\x1B[99zx\x1B\x1B[Ay"), [Key::Character(b'x'), Key::Up, Key::Character(b'y')]);
    }
}
