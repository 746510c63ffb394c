//! A terminal's side of a prompt: what is typed becomes [`keys`], keys become a line in the [`editor`], its [`words`] become
//! a command's arguments. All of it is plain computation, tested on the host.

pub mod editor;
pub mod keys;
pub mod words;
