//! What the kernel says on the control channel: one record a line, read strictly. Its only answer is a line with the seed.
//!
//! ```text
//! droste 1                                     the version of these records, always first
//! begin NAME                                   the test that runs, always second
//! test NAME                                    after `begin list`: a test that the kernel has
//! ask seed                                     a question; it is answered while the machine stands still
//! claim WORDS                                  what the auditor will find: see `audit::claims`
//! audit NAME                                   the machine stands still to be audited
//! fail WHAT expected=0x2 seen=0x3 at=FILE:LINE a check that did not hold; WHAT may have spaces
//! name WORD WORDS                              what the manifest calls {WORD} is WORDS: where a region lies, in this kernel
//! report WORDS                                 a line of the report that people read on the console
//! diagnosis KIND WORDS [at=FILE:LINE]          the kernel's own words for why it dies, and where, if that is known
//! end pass | end fail | end died               always last
//! ```
//!
//! A kernel may die before it has come to its test: report, diagnosis and end stand alone then.

use crate::run::Check;

/// The version of the records that this grader reads.
const VERSION: &str = "droste 1";

/// How the kernel says that a test ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// Every check held.
    Pass,
    /// A check did not hold.
    Fail,
    /// The kernel stopped at a fault or a panic.
    Died,
}

/// Everything that the kernel said about one test, in order.
///
/// Whatever breaks the form is kept in [`broken`](Self::broken): such a transcript never passes.
#[derive(Default, Debug)]
pub struct Transcript<'a> {
    /// The name after `begin`.
    pub begun: Option<&'a str>,
    /// The names after `test`.
    pub listed: Vec<&'a str>,
    /// The checks that did not hold.
    pub failed: Vec<Check>,
    /// The words after `name`: a name, and what it stands for.
    pub names: Vec<(&'a str, &'a str)>,
    /// The lines of the kernel's report.
    pub reported: Vec<&'a str>,
    /// The words after `diagnosis`, the kind first.
    pub diagnosis: Option<&'a str>,
    /// How the test ended.
    pub end: Option<End>,
    /// The first thing that is not as it must be, in words.
    pub broken: Option<String>,
}

impl<'a> Transcript<'a> {
    /// Reads all that was received on the control channel.
    pub fn read(control: &'a str) -> Self {
        let mut transcript = Self::default();
        let mut lines = control.split_inclusive('\n').map(whole_line);
        match lines.next() {
            None => transcript.broken = Some("nothing".into()),
            Some(Ok(VERSION)) => {}
            Some(Ok(other) | Err(other)) => transcript.broken = Some(format!("`{other}` as the first record")),
        }
        for line in lines {
            if let Err(broken) =
                line.map_err(|cut| format!("a record cut off: `{cut}`")).and_then(|l| transcript.take(l))
            {
                transcript.broken.get_or_insert(broken);
            }
        }
        transcript
    }

    /// Takes one record in; an error says what is wrong with it.
    fn take(&mut self, line: &'a str) -> Result<(), String> {
        let out_of_place = || Err(format!("`{line}` out of place"));
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let needs_a_test = match word {
            "begin" | "report" | "diagnosis" => false,
            "end" => self.diagnosis.is_none(),
            _ => true,
        };
        if self.end.is_some() || needs_a_test && self.begun.is_none() {
            return out_of_place();
        }
        match word {
            "begin" if self.begun.is_none() => self.begun = Some(rest),
            // The auditor has dealt with these when they came.
            "ask" | "claim" | "audit" => {}
            "test" => self.listed.push(rest),
            "name" => self.names.push(rest.split_once(' ').ok_or_else(|| format!("`{line}`, which names nothing"))?),
            "report" => self.reported.push(rest),
            "fail" => self.failed.push(failed_check(rest).ok_or_else(|| format!("`{line}`, which lacks its figures"))?),
            "diagnosis" if self.diagnosis.is_none() => self.diagnosis = Some(rest),
            "end" => {
                self.end = Some(match rest {
                    "pass" => End::Pass,
                    "fail" => End::Fail,
                    "died" => End::Died,
                    _ => return out_of_place(),
                });
            }
            _ => return out_of_place(),
        }
        Ok(())
    }
}

/// Takes the line end off; a line without one was cut off.
fn whole_line(line: &str) -> Result<&str, &str> {
    let whole = line.strip_suffix('\n').ok_or(line)?;
    Ok(whole.strip_suffix('\r').unwrap_or(whole))
}

/// Reads `WHAT expected=… seen=… at=…`.
fn failed_check(rest: &str) -> Option<Check> {
    let (rest, at) = rest.rsplit_once(" at=")?;
    let (rest, seen) = rest.rsplit_once(" seen=")?;
    let (what, expected) = rest.rsplit_once(" expected=")?;
    Some(Check { at: Some(at.into()), ..Check::new(what, expected, seen) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_keeps_its_words_and_figures() {
        let transcript = Transcript::read(
            "droste 1\nbegin t\nfail frames given back expected=0x2 seen=0x3 at=pools.rs:7\nend fail\n",
        );
        let check = Check { at: Some("pools.rs:7".into()), ..Check::new("frames given back", "0x2", "0x3") };
        assert_eq!((transcript.failed, transcript.end, transcript.broken), (vec![check], Some(End::Fail), None));
    }

    #[test]
    fn line_ends_of_a_terminal_are_line_ends() {
        let transcript = Transcript::read("droste 1\r\nbegin t\r\nend pass\r\n");
        assert_eq!((transcript.begun, transcript.end, transcript.broken), (Some("t"), Some(End::Pass), None));
    }

    #[test]
    fn a_kernel_may_die_before_its_test_begins() {
        let transcript =
            Transcript::read("droste 1\nreport panic\ndiagnosis panic no frame left at=pool.rs:7\nend died\n");
        assert_eq!((transcript.begun, transcript.end, transcript.broken), (None, Some(End::Died), None));
        assert_eq!(transcript.diagnosis, Some("panic no frame left at=pool.rs:7"));
    }

    #[test]
    fn whatever_breaks_the_form_is_named() {
        for (control, name) in [
            ("", "nothing"),
            ("begin t\nend pass\n", "`begin t` as the first record"),
            ("droste 2\nbegin t\nend pass\n", "`droste 2` as the first record"),
            ("droste 1\nend pass\n", "`end pass` out of place"),
            ("droste 1\nbegin t\nbegin t\nend pass\n", "`begin t` out of place"),
            ("droste 1\nbegin t\nPASS\nend pass\n", "`PASS` out of place"),
            ("droste 1\nbegin t\nend pass\nend pass\n", "`end pass` out of place"),
            ("droste 1\nbegin t\nend passed\n", "`end passed` out of place"),
            ("droste 1\nbegin t\nfail words only\nend fail\n", "`fail words only`, which lacks its figures"),
            ("droste 1\nbegin t\nname start\nend pass\n", "`name start`, which names nothing"),
            ("droste 1\nbegin t\nend pass", "a record cut off: `end pass`"),
        ] {
            assert_eq!(Transcript::read(control).broken.as_deref(), Some(name), "{control:?}");
        }
    }
}
