//! Child processes: none outlives the grader or its own time.
//!
//! A child leads a process group of its own, so that what a script starts ends with the script; the kernel ends it, by
//! `setpriv --pdeathsig`, should the grader itself be killed.

use rustix::process::{Pid, Signal, kill_process_group};
use std::fs::File;
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a child may take to end when it is asked to, before it is made to.
const GRACE: Duration = Duration::from_secs(3);

/// How often a child that was asked to end is looked at.
const POLL: Duration = Duration::from_millis(2);

/// How a child came to its end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal, which the grader did not send.
    Signal(i32),
}

/// A child that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts `program` with `words`, and `settings` in its environment. What it says goes to the two files.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(
        program: &str,
        words: &[String],
        settings: &[(&'static str, &'static str)],
        [said, complained]: [File; 2],
    ) -> io::Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", program]).args(words).envs(settings.iter().copied());
        command.stdin(Stdio::null()).stdout(said).stderr(complained);
        command.process_group(0).spawn().map(Self)
    }

    /// Returns how it ended, if it has.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn exit(&mut self) -> io::Result<Option<Exit>> {
        let status = self.0.try_wait()?;
        Ok(status.map(|status| match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Status(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        }))
    }

    fn runs(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// Sends `signal` to the child and all that it started. It has not been waited for, so its number is still its own.
    fn signal(&self, signal: Signal) {
        // The one way to fail is that the group has ended, which is what is wanted.
        let _ = kill_process_group(Pid::from_child(&self.0), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.runs() {
            return;
        }
        self.signal(Signal::TERM);
        let patience = Instant::now() + GRACE;
        while self.runs() {
            if Instant::now() >= patience {
                self.signal(Signal::KILL);
                let _ = self.0.wait();
            }
            sleep(POLL);
        }
    }
}
