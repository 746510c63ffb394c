//! Links of a book's pages: each must lead to a page, to a place in it, or to a file of the tree.

use html5ever::Attribute;
use html5ever::buffer_queue::BufferQueue;
use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};

/// What a look at all links has shown.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many pages there are.
    pub pages: usize,
    /// How many links were followed. Those to other sites are not: the network is not asked.
    pub links: usize,
    /// The links that lead nowhere, with the page that has them.
    pub broken: Vec<String>,
}

/// What a page has.
#[derive(Default)]
struct Page {
    /// The names of places in it.
    places: BTreeSet<String>,
    /// Where it links to, as it is written.
    links: BTreeSet<String>,
}

/// Follows the links of every page below `book`.
///
/// # Errors
///
/// If a page can't be read.
pub fn check(book: &Path) -> io::Result<Checked> {
    let mut pages = BTreeMap::new();
    read_all(book, &mut pages)?;
    let mut checked = Checked { pages: pages.len(), ..Checked::default() };
    for (file, page) in &pages {
        for link in page.links.iter().filter(|link| !leads_to_another_site(link)) {
            checked.links += 1;
            if !leads_somewhere(file, link, &pages) {
                let name = file.strip_prefix(book).unwrap_or(file);
                checked.broken.push(format!("  {}: {link}", name.display()));
            }
        }
    }
    Ok(checked)
}

fn leads_to_another_site(link: &str) -> bool {
    ["http://", "https://", "mailto:", "data:"].iter().any(|scheme| link.starts_with(scheme))
}

fn leads_somewhere(from: &Path, link: &str, pages: &BTreeMap<PathBuf, Page>) -> bool {
    let (path, place) = link.split_once('#').map_or((link, None), |(path, place)| (path, Some(place)));
    let path = path.split('?').next().unwrap_or_default();
    let file = if path.is_empty() { from.to_owned() } else { plain(&from.with_file_name(path)) };
    match (pages.get(&file), place) {
        (Some(page), Some(place)) => place.is_empty() || page.places.contains(place),
        (Some(_), None) => true,
        (None, _) => file.exists(),
    }
}

/// Returns `path` without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => _ = plain.pop(),
            other => plain.push(other),
        }
    }
    plain
}

fn read_all(directory: &Path, pages: &mut BTreeMap<PathBuf, Page>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            read_all(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            let page = read(&fs::read_to_string(&path)?);
            pages.insert(path, page);
        }
    }
    Ok(())
}

fn read(html: &str) -> Page {
    let input = BufferQueue::default();
    input.push_back(StrTendril::from(html));
    let tokenizer = Tokenizer::new(Collector::default(), TokenizerOpts::default());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.0.into_inner()
}

/// Collects places and links of a page while it is taken apart.
#[derive(Default)]
struct Collector(RefCell<Page>);

impl TokenSink for Collector {
    type Handle = ();

    fn process_token(&self, token: Token, _line: u64) -> TokenSinkResult<()> {
        if let Token::TagToken(tag) = token {
            let mut page = self.0.borrow_mut();
            for Attribute { name, value } in tag.attrs {
                match &*name.local {
                    "id" | "name" => _ = page.places.insert(value.to_string()),
                    "href" | "src" => _ = page.links.insert(value.to_string()),
                    _ => {}
                }
            }
        }
        TokenSinkResult::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_pages(pages: &[(&str, &str)]) -> Checked {
        let directory = tempfile::tempdir().expect("a temporary directory");
        for (name, html) in pages {
            let file = directory.path().join("book").join(name);
            fs::create_dir_all(file.parent().expect("below the directory")).expect("made");
            fs::write(file, html).expect("written");
        }
        fs::write(directory.path().join("file.rs"), "").expect("written");
        check(&directory.path().join("book")).expect("readable")
    }

    #[test]
    fn a_link_leads_to_a_page_a_place_in_it_or_a_file_of_the_tree() {
        let one = "<h1 id=one>One</h1><a href='#one'>up</a><a href='more/two.html#two'>on</a><a href='../file.rs'>code</a>\
                   <a href='https://example.com/nowhere'>elsewhere</a><script src='two.js?v=1'></script>";
        let two = "<h2 id='two'></h2><a href='../one.html'>back</a><a href='./../more/two.html'>here</a>";
        let checked = check_pages(&[("one.html", one), ("more/two.html", two), ("two.js", "")]);
        assert_eq!(checked.broken, [""; 0]);
        assert_eq!((checked.pages, checked.links), (2, 6));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_told_with_its_page() {
        let one = "<a href='two.html'>no page</a><a href='#nothing'>no place</a><img src='../none.png'>";
        let checked =
            check_pages(&[("more/one.html", one), ("three.html", "<a href='more/one.html#nothing'>no place</a>")]);
        let page = "more/one.html";
        assert_eq!(
            checked.broken,
            [
                format!("  {page}: #nothing"),
                format!("  {page}: ../none.png"),
                format!("  {page}: two.html"),
                "  three.html: more/one.html#nothing".into()
            ]
        );
    }
}
