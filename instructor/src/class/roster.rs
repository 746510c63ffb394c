//! Who submitted what: the names of an exported directory, understood.
//!
//! Gradescope exports a folder `submission_N` each, and says whose they are in `submission_metadata.yml`. Canvas exports
//! files `STUDENT[_LATE]_USER_FILE_NAME`, Moodle a folder `FULL NAME_NUMBER_assignsubmission_file` each. Any other name stands
//! for itself.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Gradescope's list.
const METADATA: &str = "submission_metadata.yml";

/// A submission of the class.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The folder or file.
    pub path: PathBuf,
    /// Whose it is; several names where it is a group's.
    pub student: String,
    /// The platform's or the school's number for them, where it is known.
    pub id: String,
    /// Whether the platform says that it was late.
    pub late: bool,
}

/// What Gradescope says of a submission.
#[derive(Deserialize)]
struct Metadata {
    #[serde(rename = ":submitters", default)]
    submitters: Vec<Submitter>,
}

#[derive(Deserialize)]
struct Submitter {
    #[serde(rename = ":name")]
    name: Option<String>,
    #[serde(rename = ":sid")]
    sid: Option<String>,
    #[serde(rename = ":email")]
    email: Option<String>,
}

/// Reads the submissions in `directory`, in the order of their names: everything but hidden files and Gradescope's list. A
/// file that is no zip is one too, so that it is told of.
///
/// # Errors
///
/// If the directory or Gradescope's list cannot be read.
pub fn read(directory: &Path) -> io::Result<Vec<Entry>> {
    let list = match fs::read_to_string(directory.join(METADATA)) {
        Ok(text) => serde_saphyr::from_str::<BTreeMap<String, Metadata>>(&text)
            .map_err(|error| io::Error::other(format!("{METADATA}: {error}")))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
        Err(error) => return Err(error),
    };
    let mut entries = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') || name == METADATA || name == "__MACOSX" {
            continue;
        }
        let (student, id, late) = match list.get(&name) {
            Some(metadata) => of_gradescope(metadata),
            None => of_moodle(&name)
                .or_else(|| of_canvas(&name))
                .unwrap_or_else(|| (name.trim_end_matches(".zip").into(), String::new(), false)),
        };
        entries.push(Entry { path, student, id, late });
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(entries)
}

fn of_gradescope(metadata: &Metadata) -> (String, String, bool) {
    let all = |words: fn(&Submitter) -> Option<&String>| {
        metadata.submitters.iter().filter_map(words).map(String::as_str).collect::<Vec<_>>().join(", ")
    };
    let number = |submitter: &Submitter| submitter.sid.as_ref().filter(|sid| !sid.is_empty()).is_some();
    let id =
        if metadata.submitters.iter().all(number) { all(|of| of.sid.as_ref()) } else { all(|of| of.email.as_ref()) };
    (all(|of| of.name.as_ref()), id, false)
}

/// Takes a name of Canvas's apart: whose it is, the number of the user, whether it was late.
fn of_canvas(name: &str) -> Option<(String, String, bool)> {
    let (student, rest) = name.split_once('_')?;
    let (late, rest) = rest.strip_prefix("LATE_").map_or((false, rest), |rest| (true, rest));
    let mut parts = rest.splitn(3, '_');
    let (user, file, _) = (parts.next()?, parts.next()?, parts.next()?);
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
    (!student.is_empty() && is_number(user) && is_number(file)).then(|| (student.into(), user.into(), late))
}

/// Takes a name of Moodle's apart: whose it is, and the number of the participant.
fn of_moodle(name: &str) -> Option<(String, String, bool)> {
    let (student, number) = name.trim_end_matches('_').strip_suffix("_assignsubmission_file")?.rsplit_once('_')?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (!student.is_empty() && is_number).then(|| (student.into(), number.into(), false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_canvas_are_taken_apart_and_others_stand_for_themselves() {
        let of = |student: &str, id: &str, late| Some((student.into(), id.into(), late));
        assert_eq!(of_canvas("doejane_123_456_lab_3-1.zip"), of("doejane", "123", false));
        assert_eq!(of_canvas("doejane_LATE_123_456_lab3.zip"), of("doejane", "123", true));
        for name in ["lab-3-octocat", "lab3_jane_doe.zip", "doejane_123_lab3.zip", "_1_2_lab3.zip", "submission_12"] {
            assert_eq!(of_canvas(name), None);
        }
    }

    #[test]
    fn names_of_moodle_are_taken_apart() {
        for name in ["Jane van Doe_4711_assignsubmission_file", "Jane van Doe_4711_assignsubmission_file_"] {
            assert_eq!(of_moodle(name), Some(("Jane van Doe".into(), "4711".into(), false)));
        }
        for name in [
            "Jane_4711",
            "Jane_x_assignsubmission_file",
            "_1_assignsubmission_file",
            "Jane_1_assignsubmission_onlinetext",
        ] {
            assert_eq!(of_moodle(name), None);
        }
    }

    #[test]
    fn gradescopes_list_says_whose_a_folder_is() {
        let directory = tempfile::tempdir().unwrap();
        for name in ["submission_1", "submission_2", "submission_3", ".hidden"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        fs::write(directory.path().join("notes.txt"), "").unwrap();
        let list = "---\nsubmission_1:\n  :submitters:\n  - :name: Ann O'Brien\n    :sid: '0017'\n    :email: ann@example.org\n  \
                    :created_at: 2026-10-01 12:00:00.000000000 Z\n  :score: 7.0\n  :results:\n    output: |\n      \
                    submission_2:\n        :submitters: none\nsubmission_2:\n  :submitters:\n  - :name: Ben\n    :sid: \n    \
                    :email: ben@example.org\n  - :name: Cem\n    :sid: '3'\n    :email: cem@example.org\n";
        fs::write(directory.path().join(METADATA), list).unwrap();
        let read: Vec<_> = read(directory.path()).unwrap().into_iter().map(|entry| (entry.student, entry.id)).collect();
        let expected = [
            ("notes.txt", ""),
            ("Ann O'Brien", "0017"),
            ("Ben, Cem", "ben@example.org, cem@example.org"),
            ("submission_3", ""),
        ];
        assert_eq!(read, expected.map(|(student, id)| (student.to_owned(), id.to_owned())));
    }
}
