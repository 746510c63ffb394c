//! Builds the book by mdBook, and checks every link in it.
//!
//! Decision: docs/src/decisions/0021-the-book-is-built-by-a-crate.md.

use book::links;
use mdbook_driver::MDBook;
use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// The book's directory, with its configuration.
const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// What mdBook warns of.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<u8>>>);

impl Write for Warnings {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().map_err(|_| io::Error::other("a thread of mdBook's panicked"))?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let warnings = Warnings::default();
    let writer = warnings.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing_subscriber::filter::LevelFilter::WARN);
    subscriber.with_ansi(false).without_time().with_writer(move || writer.clone()).init();

    let book = MDBook::load(Path::new(BOOK)).map_err(|error| format!("{error:#}"))?;
    book.build().map_err(|error| format!("{error:#}"))?;
    let warned = warnings.0.lock().map_err(|_| "a thread of mdBook's panicked")?;
    if !warned.is_empty() {
        return Err(format!("mdBook warns:\n{}", String::from_utf8_lossy(&warned)).into());
    }
    let pages = book.build_dir_for("html").canonicalize()?;
    let checked = links::check(&pages)?;
    if !checked.broken.is_empty() {
        return Err(format!("links that lead nowhere:\n{}", checked.broken.join("\n")).into());
    }
    println!(
        "{} pages, {} links, each leads somewhere: {}",
        checked.pages,
        checked.links,
        pages.join("index.html").display()
    );
    Ok(())
}

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("book: {error}");
            ExitCode::FAILURE
        }
    }
}
