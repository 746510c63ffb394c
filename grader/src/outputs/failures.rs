//! A directory for each failure: `failed/GROUP-ID/`, with the console, the records, the post-mortem and the commands that
//! repeat it.

use crate::job::Job;
use crate::marks::Conditions;
use crate::report;
use crate::verdict::Expects;
use crate::vm::{Judged, Machine};
use std::fs;
use std::io;
use std::path::Path;

/// Writes the failure of `job` below `directory`.
pub fn write(directory: &Path, job: &Job, judged: &Judged, conditions: &Conditions) -> io::Result<()> {
    let directory = directory.join(job.folder());
    fs::create_dir_all(&directory)?;
    let lines = report::message(job, judged, conditions).map(|(label, text)| format!("{label:<9}  {text}\n"));
    let all = report::details(&judged.verdict.checks());
    fs::write(directory.join("message.txt"), format!("{}\n{}\n{all}\n", judged.verdict.name(), lines.concat()))?;
    fs::write(directory.join("console.txt"), &judged.run.console)?;
    fs::write(directory.join("control.txt"), &judged.run.control)?;
    fs::write(directory.join("stderr.txt"), &judged.run.stderr)?;
    let machine = job.machine.command();
    let repeat = report::repeat(job, conditions);
    let replay =
        replay(job, conditions).map_or_else(String::new, |line| format!("\nEvent by event, in a browser:\n{line}\n"));
    let lines = format!("{repeat}\n\nOn a terminal, without the grader:\n{machine}\n{replay}");
    fs::write(directory.join("repeat.txt"), lines)?;
    if let Some(post_mortem) = &judged.post_mortem {
        fs::write(directory.join("post-mortem.txt"), post_mortem.to_string())?;
        if let Some(picture) = &post_mortem.picture {
            fs::copy(picture, directory.join("screen.png"))?;
        }
    }
    Ok(())
}

/// Returns the command that replays a test in a browser, if it is one of a machine.
fn replay(job: &Job, conditions: &Conditions) -> Option<String> {
    match (&job.expects, &job.machine) {
        (Expects::Test { name, .. }, Machine::Reference(machine)) => {
            let mebibytes = machine.memory.strip_suffix('M')?;
            Some(format!("make explore TEST={name} MEM={mebibytes} ARGS=seed={}", conditions.seed))
        }
        _ => None,
    }
}
