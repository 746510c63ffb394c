//! Builds the book by mdBook, checks every link in it, and brings its figures to life where the explorer's page is there.
//!
//! Decision: docs/src/decisions/0021-the-book-is-built-by-a-crate.md.

use book::{figures, links};
use mdbook_driver::MDBook;
use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};

/// The book's directory, with its configuration.
const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

/// The explorer's page, if it was made, and its name beside the book's pages.
const EXPLORER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../build/explorer.html");
const LIVE: &str = "live.html";

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
    match bring_to_life(&pages)? {
        0 => println!("its figures are still: 'make explore book' brings them to life"),
        count => println!("{count} live figures"),
    }
    Ok(())
}

/// Puts the explorer's page into the figures of the chapters. Returns how many there are; none if the page was not made.
fn bring_to_life(pages: &Path) -> io::Result<usize> {
    if !Path::new(EXPLORER).exists() {
        return Ok(0);
    }
    let mut count = 0;
    for entry in fs::read_dir(pages)? {
        let page = entry?.path();
        if page.extension().is_some_and(|extension| extension == "html") {
            let (html, figures) = figures::embed(&fs::read_to_string(&page)?, LIVE);
            if figures > 0 {
                fs::write(&page, html)?;
            }
            count += figures;
        }
    }
    fs::copy(EXPLORER, pages.join(LIVE))?;
    Ok(count)
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
