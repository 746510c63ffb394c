//! What must hold of the book, beside what its maker sees to.

pub mod links;
