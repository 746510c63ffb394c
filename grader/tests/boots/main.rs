//! What starts machines, or make: one program, so that tests of all these files run side by side. Cargo runs programs one
//! after the other, and a file with one long test would leave a core idle.

mod bochs;
mod gdb;
mod killed;
mod programs;
mod prompt;
mod report;
mod scripts;
mod starts;
mod verdicts;
