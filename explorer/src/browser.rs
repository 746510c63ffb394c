//! What the page calls. Everything is a line at the prompt, a number, or text.

use crate::machine::Machine;
use crate::picture::{self, Picture};
use crate::recording;
use droste::addr::VirtAddr;
use std::cell::RefCell;
use wasm_bindgen::prelude::wasm_bindgen;

thread_local! {
    /// What the kernel said when it gave up.
    static LAST_WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps what a panic says, for [`last_words`]. Called once.
#[wasm_bindgen]
pub fn keep_last_words() {
    std::panic::set_hook(Box::new(|panic| {
        LAST_WORDS.with(|words| *words.borrow_mut() = panic.to_string());
    }));
}

/// Returns what the kernel said when it gave up. The machine is not to be used after that.
#[wasm_bindgen]
pub fn last_words() -> String {
    LAST_WORDS.with(RefCell::take)
}

/// A machine in the page.
#[wasm_bindgen]
pub struct Explorer(Machine);

#[wasm_bindgen]
impl Explorer {
    /// Starts the kernel, up to its prompt.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::new_without_default)] // JavaScript's constructor
    pub fn new() -> Self {
        Self(Machine::start())
    }

    /// Carries out a line typed at the prompt, and returns what the machine says.
    pub fn carry_out(&self, line: &str) -> String {
        self.0.carry_out(line)
    }

    /// Returns the state as JSON: a [`Picture`].
    pub fn picture(&self) -> String {
        serde_json::to_string(&Picture::new(&self.0)).unwrap_or_default()
    }

    /// Returns the entries of the table of directory entry `index`, or none.
    pub fn table(&self, index: u32) -> Vec<u32> {
        picture::table(&self.0, index)
    }

    /// Returns which entries of that table the last step has changed.
    pub fn changed(&self, index: u32) -> Vec<u32> {
        picture::changed(&self.0, index)
    }

    /// Returns the way to an address as JSON: a [`picture::Way`].
    pub fn way(&self, address: u32) -> String {
        serde_json::to_string(&picture::way(&self.0, VirtAddr::new(address))).unwrap_or_default()
    }

    /// Returns the names of all commands.
    pub fn commands() -> Vec<String> {
        Machine::commands().map(str::to_owned).collect()
    }
}

/// A recorded run in the page.
#[wasm_bindgen]
pub struct Replay(recording::Replay);

#[wasm_bindgen]
impl Replay {
    /// Reads a recording.
    ///
    /// # Errors
    ///
    /// If it is none.
    #[wasm_bindgen(constructor)]
    pub fn new(json: &str) -> Result<Self, String> {
        recording::Replay::new(json).map(Self)
    }

    /// Returns the name of the test.
    pub fn test(&self) -> String {
        self.0.test().to_owned()
    }

    /// Adds a step at the end.
    ///
    /// # Errors
    ///
    /// If it is none.
    pub fn add(&mut self, step: &str) -> Result<(), String> {
        self.0.add(step)
    }

    /// Returns what happened at each step, in words.
    pub fn steps(&self) -> Vec<String> {
        self.0.steps().collect()
    }

    /// Returns what came on the console up to this step.
    pub fn said(&self) -> String {
        self.0.said()
    }

    /// Goes to the state after so many steps.
    pub fn go_to(&mut self, step: usize) {
        self.0.go_to(step);
    }

    /// Returns the state as JSON: a [`Picture`].
    pub fn picture(&self) -> String {
        serde_json::to_string(&self.0.picture()).unwrap_or_default()
    }

    /// Returns the entries of the table of directory entry `index`, or none.
    pub fn table(&self, index: u32) -> Vec<u32> {
        self.0.table(index)
    }

    /// Returns which entries of that table the last step has changed.
    pub fn changed(&self, index: u32) -> Vec<u32> {
        self.0.changed(index)
    }

    /// Returns the way to an address as JSON: a [`picture::Way`].
    pub fn way(&self, address: u32) -> String {
        serde_json::to_string(&self.0.way(VirtAddr::new(address))).unwrap_or_default()
    }
}
