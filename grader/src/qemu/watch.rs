//! The watch over a machine: to its end, or until it is plain that it has none.

use super::log;
use super::qmp::Event;
use super::session::{POLL, Session};
use crate::run::Ended;
use crate::symbols::Symbols;
use serde_json::json;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a running machine's registers are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A step of the watch takes no longer. What goes beyond it is time in which the grader had no processor, or looked at a
/// machine that stood still.
const LONGEST_STEP: Duration = Duration::from_secs(1);

/// A machine that has had less than this part of a processor is idle.
const IDLE: u32 = 20;

/// How long a machine at its time limit is logged at most, to see whether it faults for ever, and how often its log is
/// looked at.
const LOGGED: Duration = Duration::from_millis(500);
const BETWEEN_LOGS: Duration = Duration::from_millis(30);

/// The longest log of code and exceptions that is read: what faults more often than this tells of has no end. A thousand
/// programs, each of whose code is new to QEMU, fill half of it.
const LONGEST_LOG: u64 = 128 << 20;

/// How often EIP of a machine at its time limit is looked at, and how far apart.
const SAMPLES: u32 = 25;
const BETWEEN_SAMPLES: Duration = Duration::from_millis(4);

/// In how many functions a machine is that spins.
const FUNCTIONS_OF_A_LOOP: usize = 3;

/// The kernel's variable that changes as long as its test gets on.
const PROGRESS: &str = "scenarios::outcome::DEMANDS_MET";

/// The time that a machine gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Time {
    /// How long processors may work for it: other programs may slow it down. What an idle machine has had is the time on
    /// the clock.
    pub limit: Duration,
    /// How long it may take on the clock, whatever it does.
    pub clock: Duration,
}

impl Time {
    /// Says whether a machine has had it that has `worked` so long in the time `elapsed` on the clock.
    fn is_over(self, elapsed: Duration, worked: Duration) -> bool {
        elapsed >= self.clock || elapsed >= self.limit && (worked >= self.limit || worked * IDLE < elapsed)
    }
}

/// What happens after the machine stood still of its own accord.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// It goes on.
    GoOn,
    /// It goes on, and has been told this line.
    Tell(String),
    /// It is at its end.
    End,
}

/// Who says how it goes on with a machine that stands still of its own accord.
pub trait FreezeHandler {
    /// Looks at the machine, which stands still, and at the last line that it said before.
    ///
    /// # Errors
    ///
    /// If the machine can't be looked at.
    fn frozen(&mut self, session: &mut Session, last: &str) -> io::Result<Step>;
}

impl Session {
    /// Watches the machine to its end, or until it has had its `time`. Returns `None` if `stop` became true.
    pub fn watch(
        &mut self,
        time: Time,
        stop: &AtomicBool,
        symbols: &Symbols,
        handler: &mut dyn FreezeHandler,
    ) -> Option<Ended> {
        let mut looked = Instant::now();
        let mut elapsed = Duration::ZERO;
        loop {
            let begun = Instant::now();
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            self.worked = self.child.worked().unwrap_or(self.worked);
            // A connection that ends means that QEMU has ended, which says more.
            let step = self.step(&mut looked, symbols, handler);
            elapsed += if step.is_ok() { begun.elapsed().min(LONGEST_STEP) } else { begun.elapsed() };
            match (step, self.child.exit()) {
                (Ok(Some(ended)), _) => return Some(ended),
                (_, Ok(Some(exit))) => {
                    self.listen().ok();
                    return Some(exit.into());
                }
                (_, Err(error)) => return Some(Ended::NotStarted(error.to_string())),
                (Err(_), Ok(None)) => sleep(POLL),
                (Ok(None), Ok(None)) => {}
            }
            if time.is_over(elapsed, self.worked) || self.log_length() > LONGEST_LOG {
                let limit = time.limit.min(time.clock);
                return Some(self.at_limit(limit, symbols).unwrap_or(Ended::OverLimit(limit)));
            }
        }
    }

    /// Waits a moment for something to happen; an end of the machine is returned.
    fn step(
        &mut self,
        looked: &mut Instant,
        symbols: &Symbols,
        handler: &mut dyn FreezeHandler,
    ) -> io::Result<Option<Ended>> {
        self.listen()?;
        match self.qmp.event(POLL)? {
            Some(Event::Reset) => return Ok(Some(Ended::Reset)),
            // Which way it took to shut down is told by QEMU's exit status alone. The connection may end before the answer.
            Some(Event::ShutDown) => _ = self.qmp.command("quit", json!({})),
            Some(Event::Frozen) => {
                self.listen()?;
                let heard = self.heard();
                let last = heard.lines().last().unwrap_or_default().to_owned();
                match handler.frozen(self, &last)? {
                    Step::End => return Ok(Some(Ended::Frozen)),
                    Step::GoOn => {}
                    Step::Tell(line) => self.tell(&line)?,
                }
                self.qmp.command("cont", json!({}))?;
            }
            None if looked.elapsed() >= LOOK => {
                *looked = Instant::now();
                if let Some(eip) = self.halted()? {
                    self.listen()?;
                    return Ok(Some(Ended::Halted(symbols.place(eip))));
                }
            }
            None => {}
        }
        Ok(None)
    }

    /// Returns EIP of a machine that waits for an interrupt with interrupts off, and has asked for nothing before.
    fn halted(&mut self) -> io::Result<Option<u32>> {
        let first = self.registers()?;
        // A machine that wrote to the debug exit of QEMU 9 or newer runs on, until QEMU comes to shut it down and says so.
        if !first.halted_for_good() || self.qmp.has_event(LOOK)? {
            return Ok(None);
        }
        // The flags were read a moment before the rest: a second look, at the same place, makes sure.
        let second = self.registers()?;
        let halted = second.halted_for_good() && first.eip == second.eip && !self.qmp.has_event(Duration::ZERO)?;
        Ok(halted.then_some(first.eip))
    }

    /// Finds out what a machine does that has not ended in time, and stops it.
    fn at_limit(&mut self, limit: Duration, symbols: &Symbols) -> io::Result<Ended> {
        self.listen()?;
        let progress = |session: &Self| symbols.variable(PROGRESS).and_then(|at| session.ram.words(at, 1).ok());
        let before = progress(self);
        let logged_before = self.log_length();
        self.qmp.monitor("log int")?;
        let until = Instant::now() + LOGGED;
        let mut found = None;
        while found.is_none() && Instant::now() < until {
            sleep(BETWEEN_LOGS);
            found = log::fault_loop(&self.log_since(logged_before));
        }
        self.qmp.monitor("log none")?;
        if let Some((fault, times)) = found {
            self.qmp.command("stop", json!({}))?;
            let address = fault.address.unwrap_or_default();
            return Ok(Ended::FaultLoop { address, place: symbols.place(fault.eip), times });
        }
        let mut places = Vec::new();
        for _ in 0..SAMPLES {
            self.qmp.command("cont", json!({}))?;
            sleep(BETWEEN_SAMPLES);
            // A processor that runs says where it was a while ago; one that stands still says where it is.
            self.qmp.command("stop", json!({}))?;
            places.push(symbols.place(self.registers()?.eip));
        }
        let most = most_frequent(&places);
        let mut functions: Vec<&str> = places.iter().map(|place| place.function.as_str()).collect();
        functions.sort_unstable();
        functions.dedup();
        Ok(match most {
            Some(place) if functions.len() <= FUNCTIONS_OF_A_LOOP && progress(self) == before => {
                Ended::Spinning(place, limit)
            }
            _ => Ended::OverLimit(limit),
        })
    }
}

/// Returns the place whose function is seen most often.
fn most_frequent(places: &[crate::symbols::CodeLocation]) -> Option<crate::symbols::CodeLocation> {
    let count = |function: &str| places.iter().filter(|place| place.function == function).count();
    places.iter().max_by_key(|place| count(&place.function)).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_processor_time_but_for_an_idle_machine_and_at_the_last() {
        let seconds = Duration::from_secs;
        let time = Time { limit: seconds(8), clock: seconds(100) };
        for (elapsed, worked, over) in
            [(8, 8, true), (7, 7, false), (60, 7, false), (100, 7, true), (8, 0, true), (7, 0, false)]
        {
            assert_eq!(time.is_over(seconds(elapsed), seconds(worked)), over, "{worked} of {elapsed} s");
        }
    }
}
