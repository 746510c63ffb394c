//! Child processes: none outlives the grader or its own time.
//!
//! A child leads a process group of its own, so that what a script starts ends with the script; the kernel ends it, by
//! `setpriv --pdeathsig`, should the grader itself be killed.

use rustix::param::clock_ticks_per_second;
use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long a child may take to end when it is asked to, before it is made to.
const GRACE: Duration = Duration::from_secs(3);

/// How often a child that was asked to end is looked at.
const POLL: Duration = Duration::from_millis(2);

/// Returns what becomes true when somebody asks this program to end, so that it can end its children and tell what it knows.
///
/// # Errors
///
/// If the system does not let it listen.
pub fn asked_to_end() -> io::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGHUP, SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, asked.clone())?;
    }
    Ok(asked)
}

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
pub struct Running {
    child: Child,
    grace: Duration,
}

impl Running {
    /// Starts `program` with `args`, and `env` in its environment. It reads `input`; what it says goes to the two files.
    ///
    /// # Errors
    ///
    /// If it cannot be started.
    pub fn start(
        program: &str,
        args: &[String],
        env: &[(&'static str, &'static str)],
        input: impl Into<Stdio>,
        [said, complained]: [File; 2],
    ) -> io::Result<Self> {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "TERM", program]).args(args).envs(env.iter().copied());
        command.stdin(input).stdout(said).stderr(complained);
        command.process_group(0).spawn().map(|child| Self { child, grace: GRACE })
    }

    /// Returns how it ended, if it has.
    ///
    /// # Errors
    ///
    /// If the system does not say.
    pub fn exit(&mut self) -> io::Result<Option<Exit>> {
        let status = self.child.try_wait()?;
        Ok(status.map(|status| match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Status(code),
            (None, signal) => Exit::Signal(signal.unwrap_or_default()),
        }))
    }

    /// Returns how much time processors have had for it (proc(5), fields `utime` and `stime` of `stat`).
    ///
    /// # Errors
    ///
    /// If it has been waited for, and so is gone.
    pub fn worked(&self) -> io::Result<Duration> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        // The second field, in parentheses, may hold anything.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields).split_ascii_whitespace();
        let ticks: u64 = fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum();
        Ok(Duration::from_secs(ticks) / clock_ticks_per_second() as u32)
    }

    fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends `signal` to the child and all that it started. It has not been waited for, so its number is still its own.
    fn signal(&self, signal: Signal) {
        // The one way to fail is that the group has ended, which is what is wanted.
        let _ = kill_process_group(Pid::from_child(&self.child), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.runs() {
            return;
        }
        self.signal(Signal::TERM);
        let patience = Instant::now() + self.grace;
        while self.runs() {
            if Instant::now() >= patience {
                self.signal(Signal::KILL);
                let _ = self.child.wait();
            }
            sleep(POLL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::test_kill_process_group;

    fn start(script: &str) -> Running {
        let output = || tempfile::tempfile().expect("a temporary file");
        Running::start("sh", &["-c".into(), script.into()], &[], Stdio::null(), [output(), output()])
            .expect("it starts")
    }

    #[test]
    fn only_time_on_a_processor_is_work() {
        let (idle, busy) = (start("sleep 1000"), start("while :; do :; done"));
        let patience = Instant::now() + Duration::from_secs(60);
        let wanted = Duration::from_millis(300);
        while busy.worked().expect("it runs") < wanted && Instant::now() < patience {
            sleep(POLL);
        }
        assert!(busy.worked().expect("it runs") >= wanted);
        assert!(idle.worked().expect("it runs") < wanted);
    }

    #[test]
    fn a_child_that_ignores_the_request_to_end_is_made_to() {
        let output = tempfile::tempfile().expect("a temporary file");
        let says = [output.try_clone().expect("a file"), output.try_clone().expect("a file")];
        let script = "trap '' TERM; echo ready; while :; do sleep 1; done";
        let stubborn = Running::start("sh", &["-c".into(), script.into()], &[], Stdio::null(), says);
        let mut stubborn = stubborn.expect("it starts");
        let patience = Instant::now() + Duration::from_secs(60);
        while output.metadata().expect("a file").len() == 0 && Instant::now() < patience {
            sleep(POLL);
        }
        stubborn.grace = Duration::from_millis(100);
        let (group, asked) = (Pid::from_child(&stubborn.child), Instant::now());
        drop(stubborn);
        assert!(asked.elapsed() >= Duration::from_millis(100) && asked.elapsed() < Duration::from_secs(30));
        // What it had started ends with it, and stays until somebody has waited for it.
        while test_kill_process_group(group).is_ok() {
            assert!(Instant::now() < patience, "something of it is left");
            sleep(POLL);
        }
    }
}
