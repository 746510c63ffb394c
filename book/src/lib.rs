//! What must hold of the book, beside what its maker sees to.

pub mod figures;
pub mod links;
