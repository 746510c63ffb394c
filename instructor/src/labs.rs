//! What tells a tree that it is for one lab: its list of tests, its pages, and what is not in them.

use grader::manifest::Manifest;
use std::error::Error;
use std::fs;
use std::path::Path;

/// The list of tests, which says for which lab a tree is.
const TESTS: &str = "grader/tests.toml";

/// The pages, and the one that says what is whose.
const PAGES: &str = "docs/src";
const HANDOUT: &str = "handout.md";

/// Writes into the list of tests of `tree` that it is for `lab`.
///
/// # Errors
///
/// If that cannot be done.
pub fn mark(tree: &Path, lab: u32) -> Result<(), Box<dyn Error>> {
    let path = tree.join(TESTS);
    let text = fs::read_to_string(&path)?;
    let list = text.strip_prefix("lab = ").and_then(|rest| Some(rest.split_once('\n')?.1)).unwrap_or(&text);
    Ok(fs::write(path, format!("lab = {lab}\n{list}"))?)
}

/// Says on the pages of `tree` what is to be done in `lab`, whose earlier ones are solved or the student's own, and takes the
/// chapters of later ones out.
///
/// # Errors
///
/// If a page cannot be read or written.
pub fn explain(tree: &Path, lab: u32, is_own: bool) -> Result<(), Box<dyn Error>> {
    let manifest = Manifest::load(None)?;
    let later: Vec<String> = (lab + 1..=manifest.last_lab()).map(|later| format!("lab-{later}.md")).collect();
    for entry in fs::read_dir(tree.join(PAGES))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if later.contains(&name) {
            fs::remove_file(&path)?;
        } else if name.ends_with(".md") {
            let text = fs::read_to_string(&path)?;
            let mut left = later.iter().fold(text.clone(), |text, page| without_page(&text, page));
            if name == HANDOUT {
                left = with_words(&left, &words(&manifest, lab, is_own))?;
            }
            if left != text {
                fs::write(&path, left)?;
            }
        }
    }
    Ok(())
}

/// Returns what the page of the handout says first.
fn words(manifest: &Manifest, lab: u32, is_own: bool) -> String {
    let possible = manifest.possible(Some(lab));
    let how = if is_own { "as you handed in" } else { "solved in it" };
    let before = match lab {
        1 => String::new(),
        2 => format!("Lab 1 is {how}. "),
        3 => format!("Labs 1 and 2 are {how}. "),
        _ => format!("Labs 1 to {} are {how}. ", lab - 1),
    };
    format!(
        "**This tree is for [lab {lab}](lab-{lab}.md).** {before}Yours are the functions that\nsay `to do`; \
         one that says `comes with lab …` stays as it is. `make test` runs the tests of lab {lab}, which\nare worth \
         {possible} points, and `make test LAB=N` those of an earlier lab. What this page says of later parts is for later."
    )
}

/// Puts `words` behind the title of a page.
fn with_words(page: &str, words: &str) -> Result<String, String> {
    let (title, rest) = page.split_once('\n').ok_or("a page has a title")?;
    Ok(format!("{title}\n\n{words}\n{rest}"))
}

/// Takes the list entries of a page that is gone out of `text`, and of its other links leaves the words.
fn without_page(text: &str, page: &str) -> String {
    let link = format!("]({page}");
    let is_entry = |line: &str| line.starts_with("- [") && line.trim_end().ends_with(&format!("{link})"));
    let mut left: String = text.split_inclusive('\n').filter(|line| !is_entry(line)).collect();
    while let Some(end) = left.find(&link) {
        let Some(close) = left[end..].find(')') else { break };
        let Some(open) = left[..end].rfind('[') else { break };
        left = format!("{}{}{}", &left[..open], &left[open + 1..end], &left[end + close + 1..]);
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_a_page_that_is_gone_become_words() {
        let text = "- [Lab 3](lab-3.md)\n- [Lab 4: spaces](lab-4.md)\n\nSee [lab 3](lab-3.md) and [lab\n4](lab-4.md#a), [b](c.md).\n";
        assert_eq!(
            without_page(text, "lab-4.md"),
            "- [Lab 3](lab-3.md)\n\nSee [lab 3](lab-3.md) and lab\n4, [b](c.md).\n"
        );
    }

    #[test]
    fn the_book_says_what_each_lab_is_worth() {
        let manifest = Manifest::load(None).unwrap();
        let [students, instructors] =
            [include_str!("../../docs/src/handout.md"), include_str!("../../docs/src/instructors.md")];
        for lab in 1..=manifest.last_lab() {
            let points = manifest.possible(Some(lab));
            let row = format!("| [{lab}](lab-{lab}.md) | `make test LAB={lab}` | {points} |");
            assert!(students.contains(&row), "{row}");
            let is_row =
                |line: &str| line.starts_with(&format!("| {lab} | ")) && line.ends_with(&format!(" | {points} |"));
            assert!(instructors.lines().any(is_row), "lab {lab}: {points}");
        }
        assert!(students.contains(&format!("| lab | tests | points of {} |", manifest.possible(None))));
    }

    #[test]
    fn a_tree_is_for_the_lab_that_was_said_last() {
        let tree = tempfile::tempdir().unwrap();
        let list = tree.path().join(TESTS);
        fs::create_dir_all(list.parent().unwrap()).unwrap();
        fs::write(&list, "# Tests.\n").unwrap();
        for lab in [2, 3] {
            mark(tree.path(), lab).unwrap();
        }
        assert_eq!(fs::read_to_string(list).unwrap(), "lab = 3\n# Tests.\n");
    }
}
