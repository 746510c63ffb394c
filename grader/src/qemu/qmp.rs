//! QEMU's own control: one JSON object a line, over a Unix socket (QEMU's QMP reference manual).

use serde_json::{Value, json};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How long an answer may take. QEMU answers in a millisecond; a machine of tests may be busy.
const PATIENCE: Duration = Duration::from_secs(20);

/// Something that QEMU tells unasked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// The machine wrote to the freeze port, and stands still.
    Frozen,
    /// The machine asked for a reset, or could not go on: it stands still.
    Reset,
    /// The machine switched itself off, or wrote to the debug exit of QEMU 9 or newer: it stands still.
    ShutDown,
}

/// A connection to QEMU.
#[derive(Debug)]
pub struct Qmp {
    stream: UnixStream,
    received: Vec<u8>,
    events: Vec<Event>,
}

impl Qmp {
    /// Takes over a connection that QEMU made.
    ///
    /// # Errors
    ///
    /// If QEMU does not speak as it should.
    pub fn new(stream: UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(false)?;
        let mut qmp = Self { stream, received: Vec::new(), events: Vec::new() };
        qmp.line(Instant::now() + PATIENCE)?;
        qmp.command("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Has `name` done with `arguments`, and returns the answer.
    ///
    /// # Errors
    ///
    /// If the connection ended, or QEMU refused.
    pub fn command(&mut self, name: &str, arguments: Value) -> io::Result<Value> {
        let line = json!({"execute": name, "arguments": arguments}).to_string();
        self.stream.write_all(line.as_bytes())?;
        self.stream.write_all(b"\n")?;
        let until = Instant::now() + PATIENCE;
        loop {
            let mut line = self.line(until)?.ok_or(ErrorKind::TimedOut)?;
            if let Some(answer) = line.get_mut("return") {
                return Ok(answer.take());
            }
            if let Some(error) = line.get("error") {
                return Err(io::Error::other(format!("QEMU refuses {name}: {error}")));
            }
            self.note(&line);
        }
    }

    /// Has the monitor's `words` done, and returns what it prints.
    ///
    /// # Errors
    ///
    /// As [`command`](Self::command).
    pub fn monitor(&mut self, words: &str) -> io::Result<String> {
        let answer = self.command("human-monitor-command", json!({"command-line": words}))?;
        Ok(answer.as_str().unwrap_or_default().replace('\r', ""))
    }

    /// Returns the next event, waiting for it up to `patience`.
    ///
    /// # Errors
    ///
    /// If the connection ended.
    pub fn event(&mut self, patience: Duration) -> io::Result<Option<Event>> {
        Ok(self.has_event(patience)?.then(|| self.events.remove(0)))
    }

    /// Says whether there is an event, waiting for one up to `patience`.
    ///
    /// # Errors
    ///
    /// If the connection ended.
    pub fn has_event(&mut self, patience: Duration) -> io::Result<bool> {
        let until = Instant::now() + patience;
        while self.events.is_empty()
            && let Some(line) = self.line(until)?
        {
            self.note(&line);
        }
        Ok(!self.events.is_empty())
    }

    fn note(&mut self, line: &Value) {
        let reason = line.pointer("/data/reason").and_then(Value::as_str);
        self.events.extend(match (line.get("event").and_then(Value::as_str), reason) {
            (Some("GUEST_PANICKED"), _) => Some(Event::Frozen),
            (Some("SHUTDOWN"), Some("guest-reset")) => Some(Event::Reset),
            (Some("SHUTDOWN"), Some("guest-shutdown")) => Some(Event::ShutDown),
            _ => None,
        });
    }

    /// Returns the next line, or `None` if there is none before `until`.
    fn line(&mut self, until: Instant) -> io::Result<Option<Value>> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.received.drain(..=end).collect();
                return serde_json::from_slice(&line).map(Some).map_err(io::Error::other);
            }
            let left = until.saturating_duration_since(Instant::now());
            self.stream.set_read_timeout(Some(left.max(Duration::from_micros(100))))?;
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.received.extend(&bytes[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    if left.is_zero() {
                        return Ok(None);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
