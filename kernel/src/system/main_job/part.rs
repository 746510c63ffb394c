//! A line of the main job's table.

use crate::scenarios::{Outcome, demand};
use crate::system::console::println;

/// Prints the heading of a column each.
pub fn heading(columns: [&str; 6]) {
    let [name, faults, taken, returned, free, ticks] = columns;
    println!("{name:27}{faults:^12}{taken:^10}{returned:^10}{free:^12}{ticks:>8}");
}

/// A line of the table.
pub struct Part {
    pub name: &'static str,
    /// Faults seen, and due.
    pub faults: [u32; 2],
    /// Frames taken, seen and due.
    pub taken: [u32; 2],
    /// Frames given back, seen and due.
    pub returned: [u32; 2],
    /// Free frames before and after.
    pub free: [u32; 2],
    /// Ticks of the whole.
    pub ticks: u64,
}

impl Part {
    /// Prints the line, and demands that what was seen is what was expected.
    ///
    /// # Errors
    ///
    /// The first figure that differs.
    pub fn close(self) -> Outcome {
        let Self { name, faults, taken, returned, free, ticks } = self;
        println!(
            "{name:27}{:>5}/{:<6}{:4}/{:<5}{:4}/{:<5}{:6}{:6}{:8}",
            faults[0],
            faults[1],
            taken[0],
            taken[1],
            returned[0],
            returned[1],
            free[0],
            free[1],
            ticks / u64::from(faults[0].max(1)),
        );
        demand("faults", faults[1], faults[0])?;
        demand("frames taken", taken[1], taken[0])?;
        demand("frames given back", returned[1], returned[0])?;
        demand("free frames after", free[0], free[1])
    }
}
