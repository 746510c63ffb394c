//! Input: bytes of the serial line and scan codes of the keyboard become keys.

use crate::arch::x86::keyboard;
use crate::arch::x86::lock::{Dying, Locked};
use crate::arch::x86::serial::COM1;
use crate::terminal::keys::{self, Key, Keys};
use alloc::collections::VecDeque;
use pc_keyboard::layouts::Us104Key;
use pc_keyboard::{DecodedKey, HandleControl, KeyCode, PS2Keyboard, ScancodeSet1};

/// The most keys that are kept while a program runs.
const MOST_AHEAD: usize = 4096;

/// Input that is not a key yet, and keys that nobody has read.
struct Typed {
    ahead: VecDeque<Key>,
    serial: Keys,
    keyboard: PS2Keyboard<Us104Key, ScancodeSet1>,
}

static TYPED: Locked<Typed> = Locked::new(Typed {
    ahead: VecDeque::new(),
    serial: Keys::NONE,
    keyboard: PS2Keyboard::new(ScancodeSet1::new(), Us104Key, HandleControl::MapLettersToUnicode),
});

/// Returns the next key that somebody pressed, on the serial line or at the keyboard, if there is one.
pub fn read_key() -> Option<Key> {
    let mut typed = TYPED.lock();
    typed.ahead.pop_front().or_else(|| next(&mut typed))
}

/// Says whether Ctrl-C was pressed. Other keys are for whoever reads the next one.
pub fn is_cancelled() -> bool {
    let mut typed = TYPED.lock();
    while let Some(key) = next(&mut typed) {
        match key {
            Key::Cancel => return true,
            key if typed.ahead.len() < MOST_AHEAD => typed.ahead.push_back(key),
            _ => {}
        }
    }
    false
}

fn next(typed: &mut Typed) -> Option<Key> {
    while let Some(byte) = COM1.lock().receive() {
        if let Some(key) = typed.serial.add(byte) {
            return Some(key);
        }
    }
    while let Some(byte) = keyboard::receive() {
        // A byte that is no scan code is dropped.
        let event = typed.keyboard.add_byte(byte).ok().flatten();
        if let Some(key) = event.and_then(|event| typed.keyboard.process_keyevent(event)).and_then(key) {
            return Some(key);
        }
    }
    None
}

fn key(decoded: DecodedKey) -> Option<Key> {
    match decoded {
        DecodedKey::Unicode(character) => keys::from_keyboard(character),
        DecodedKey::RawKey(code) => match code {
            KeyCode::ArrowLeft => Some(Key::Left),
            KeyCode::ArrowRight => Some(Key::Right),
            KeyCode::ArrowUp => Some(Key::Up),
            KeyCode::ArrowDown => Some(Key::Down),
            KeyCode::Home => Some(Key::Home),
            KeyCode::End => Some(Key::End),
            _ => None,
        },
    }
}

/// Frees the lock of what is typed after a crash.
pub fn force_unlock(dying: &Dying) {
    TYPED.force_unlock(dying);
}
