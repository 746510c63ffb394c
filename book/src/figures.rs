//! Live figures: the explorer's page at a state, in the middle of a chapter.
//!
//! A chapter writes `<figure data-lines="LINE;LINE" data-parts="PART PART">` with a caption that has the lines, too. Where the
//! page was made (`make explore`), it is put into the figure, with these of its parts, at the state that the lines lead to;
//! elsewhere the caption is left to be typed at a prompt.

use std::fmt::Write;

/// A figure of a page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figure<'a> {
    /// The lines that lead to its state.
    pub lines: Vec<&'a str>,
    /// The parts of the explorer's page that it shows.
    pub parts: Vec<&'a str>,
    /// Where in the page its content begins.
    content: usize,
}

/// Finds the figures of a page, of its source or as HTML.
pub fn figures(page: &str) -> impl Iterator<Item = Figure<'_>> {
    page.match_indices("<figure ").filter_map(|(start, _)| {
        let tag = &page[start..];
        let tag = &tag[..tag.find('>')?];
        let attribute = |name: &str| tag.split_once(name)?.1.strip_prefix("=\"")?.split('"').next();
        let (lines, parts) = (attribute("data-lines")?, attribute("data-parts")?);
        Some(Figure {
            lines: lines.split(';').collect(),
            parts: parts.split(' ').collect(),
            content: start + tag.len() + 1,
        })
    })
}

/// Puts the explorer's page, which is `explorer` as seen from the HTML page, into each figure. Returns the page and how many
/// figures it has.
pub fn embed(html: &str, explorer: &str) -> (String, usize) {
    let mut embedded = String::new();
    let (mut from, mut count) = (0, 0);
    for figure in figures(html) {
        embedded.push_str(&html[from..figure.content]);
        from = figure.content;
        let state: Vec<String> = figure.lines.iter().map(|line| encoded(line)).collect();
        // Writing to a string never fails.
        let _ = write!(
            embedded,
            "<iframe src=\"{explorer}?parts={}#{}\" title=\"The memory after: {}\" loading=\"lazy\" \
             style=\"width:100%;height:36em;border:1px solid\"></iframe>",
            figure.parts.join(","),
            state.join(";"),
            figure.lines.join("; "),
        );
        count += 1;
    }
    embedded.push_str(&html[from..]);
    (embedded, count)
}

/// Writes what is no letter or digit as a URL does.
fn encoded(line: &str) -> String {
    line.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<p>before</p><figure data-lines=\"alloc 4000_0000 8K;touch 4000_1000\" data-parts=\"table acts\">\n\
                        <figcaption>one</figcaption></figure><figure><img></figure>after";

    #[test]
    fn a_figure_gets_the_page_at_its_state_before_its_caption() {
        let (html, count) = embed(PAGE, "live.html");
        assert_eq!(count, 1);
        let frame = "<iframe src=\"live.html?parts=table,acts#alloc%204000%5F0000%208K;touch%204000%5F1000\" \
                     title=\"The memory after: alloc 4000_0000 8K; touch 4000_1000\" ";
        let (before, after) = html.split_once(frame).expect("it is there");
        assert!(before.ends_with("data-parts=\"table acts\">"), "{before}");
        assert!(
            after.contains("</iframe>\n<figcaption>one</figcaption></figure><figure><img></figure>after"),
            "{after}"
        );
    }

    #[test]
    fn a_page_without_figures_stays_as_it_is() {
        assert_eq!(embed("<figure>a</figure>", "live.html"), ("<figure>a</figure>".into(), 0));
    }
}
