//! The live figures of the book lead to states, and say how to get there without a browser.

use book::figures::figures;
use explorer::machine::Machine;
use std::fs;
use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[test]
fn the_figures_of_the_book_lead_to_states_by_lines_that_their_captions_have() {
    let index = fs::read_to_string(Path::new(ROOT).join("explorer/page/index.html")).expect("the page is there");
    let mut chapters = 0;
    for chapter in fs::read_dir(Path::new(ROOT).join("docs/src")).expect("the book is there") {
        let path = chapter.expect("readable").path();
        let Some(text) = fs::read_to_string(&path).ok().filter(|text| figures(text).next().is_some()) else {
            continue;
        };
        chapters += 1;
        for figure in figures(&text) {
            let machine = Machine::start();
            for line in &figure.lines {
                let said = machine.carry_out(line);
                let fails = ["usage: ", "no such ", " is in no pool"].iter().any(|words| said.contains(words));
                assert!(!fails, "{}: {line}: {said}", path.display());
                assert!(text.contains(&format!("<code>{line}</code>")), "{}: no caption has {line}", path.display());
            }
            for part in &figure.parts {
                assert!(index.contains(&format!("aria-labelledby=\"{part}-title\"")), "{}: {part}", path.display());
            }
        }
    }
    assert!(chapters >= 6, "{chapters} chapters have figures");
}
