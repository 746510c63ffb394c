//! The machine: everything that is not plain computation.

pub mod x86;
