//! The page of the book that says which test catches which mistake.

use super::list::Mutant;
use std::fmt::Write;

/// What stands above the tables.
const HEAD: &str = "# Mutants\n\n\
    <!-- Written by `make mutants`; change grader/mutants/ instead. -->\n\n\
    A test that cannot fail is worth nothing. So each mistake below is planted in a copy of the kernel, one at a time, and \
    the grader must give the verdict that is named here, on each of the tests that are named here. `make mutants` does \
    that and fails if a mistake is missed, or no longer fits the code. Words behind a verdict must be told of the failure.\n";

/// What stands above the table of a plain design.
const DESIGN_HEAD: &str = "Planted alone in the design that `instructor/designs/` has under this name. The failure that a \
    run tells to start with must be this one, and say so.\n\n| mistake | first failure | it says |\n|---|---|---|\n";

/// Returns the page.
pub fn page(mutants: &[Mutant]) -> String {
    let mut page = HEAD.to_owned();
    let mut part = "";
    for mutant in mutants {
        if mutant.part != part {
            part = &mutant.part;
            page += &format!("\n## {part}\n\n");
            page += match mutant.design {
                None => "| mistake | caught by | verdict |\n|---|---|---|\n",
                Some(_) => DESIGN_HEAD,
            };
        }
        let note = mutant.note.as_ref().map_or(String::new(), |note| format!(" *{}*", note.trim()));
        for (row, (test, verdict)) in mutant.caught_by.iter().enumerate() {
            let mistake = if row == 0 { format!("{}{note}", mutant.mistake) } else { String::new() };
            let shown = mutant.shows.join("; ");
            let verdict = match (shown.is_empty(), &mutant.design) {
                (true, _) => verdict.clone(),
                (false, None) => format!("{verdict}: {shown}"),
                (false, Some(_)) => shown,
            };
            // Writing to a string cannot fail.
            let _ = writeln!(page, "| {mistake} | `{test}` | {verdict} |");
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mutants::list;
    use std::fs;
    use std::path::Path;

    #[test]
    fn the_page_of_the_book_is_that_of_the_lists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mutants = list::load(&root).unwrap();
        assert!(page(&mutants) == fs::read_to_string(root.join("docs/src/mutants.md")).unwrap(), "run `make mutants`");
    }
}
