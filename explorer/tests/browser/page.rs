//! The page in a browser of its own: Chromium without a window, driven by ChromeDriver.

use fantoccini::error::CmdError;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::runtime;

const BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../build");
/// The page with a machine, that of a student's tree, that with a recording of the test `standard-pages`, and that with an
/// emulator.
const LIVE: &str = "explorer.html";
const EXERCISE: &str = "explorer-exercise.html";
const RECORDED: &str = "explorer-standard-pages.html";
const EMULATED: &str = "explorer-v86.html";
/// How long the page may take until it is ready.
const PATIENCE: Duration = Duration::from_secs(60);

/// What Chromium is started with: no window, and no connection of its own to anywhere.
const ARGUMENTS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
];

/// The page, ready.
pub struct Page {
    client: Client,
    file: &'static str,
}

/// Opens the page at the state of `fragment` and tells a story of it. At its end, the browser's console must be empty.
pub fn in_page(fragment: &str, story: impl AsyncFnOnce(&Page) -> Result<(), CmdError>) {
    in_file(LIVE, fragment, story);
}

/// As [`in_page`], of the page that a student has made, in whose kernel a flush is missing.
pub fn in_exercise(fragment: &str, story: impl AsyncFnOnce(&Page) -> Result<(), CmdError>) {
    in_file(EXERCISE, fragment, story);
}

/// As [`in_page`], of the page that plays a recording.
pub fn in_recording(fragment: &str, story: impl AsyncFnOnce(&Page) -> Result<(), CmdError>) {
    in_file(RECORDED, fragment, story);
}

/// As [`in_page`], of the page that boots the whole kernel in an emulator.
pub fn in_emulator(story: impl AsyncFnOnce(&Page) -> Result<(), CmdError>) {
    in_file(EMULATED, "", story);
}

fn in_file(file: &'static str, fragment: &str, story: impl AsyncFnOnce(&Page) -> Result<(), CmdError>) {
    let driver = Driver::start();
    let runtime = runtime::Builder::new_current_thread().enable_all().build().expect("a runtime is made");
    let client = runtime.block_on(driver.connect());
    let told = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let page = Page { client: client.clone(), file };
            page.open(fragment).await?;
            story(&page).await?;
            let messages = client.issue_cmd(ConsoleLog).await?;
            assert_eq!(messages, json!([]), "the browser's console has messages");
            Ok::<(), CmdError>(())
        })
    }));
    // The browser ends first, however the story did.
    let closed = runtime.block_on(client.close());
    match told {
        Ok(told) => told.and(closed).expect("the browser does what it is asked to"),
        Err(panic) => resume_unwind(panic),
    }
}

impl Page {
    /// Opens the state that a fragment leads to, in a page that starts anew.
    pub async fn open(&self, fragment: &str) -> Result<(), CmdError> {
        self.client.goto("about:blank").await?;
        self.client.goto(&format!("file://{BUILD}/{}{fragment}", self.file)).await?;
        self.client.wait().at_most(PATIENCE).for_element(Locator::Css("html[data-ready]")).await.map(drop)
    }

    /// Types at the prompt.
    pub async fn line(&self, line: &str) -> Result<(), CmdError> {
        self.client.find(Locator::Id("line")).await?.send_keys(&format!("{line}\n")).await
    }

    /// Presses keys wherever the focus is.
    pub async fn keys(&self, keys: &str) -> Result<(), CmdError> {
        self.client.active_element().await?.send_keys(keys).await
    }

    /// Clicks what a selector finds first.
    pub async fn click(&self, css: &str) -> Result<(), CmdError> {
        self.client.find(Locator::Css(css)).await?.click().await
    }

    /// Clicks the button that says `words`.
    pub async fn press(&self, words: &str) -> Result<(), CmdError> {
        self.client.find(Locator::XPath(&format!("//button[normalize-space()='{words}']"))).await?.click().await
    }

    /// Waits until a button says `words`.
    pub async fn wait_for(&self, words: &str) -> Result<(), CmdError> {
        let button = format!("//button[normalize-space()='{words}']");
        self.client.wait().at_most(PATIENCE).for_element(Locator::XPath(&button)).await.map(drop)
    }

    /// Returns the text of an element, seen or scrolled away.
    pub async fn text(&self, id: &str) -> Result<String, CmdError> {
        let text = self.ask(&format!("return document.getElementById('{id}').textContent")).await?;
        Ok(text.as_str().unwrap_or_default().to_owned())
    }

    /// Returns the text of an element as soon as it has `words`, or what it is in the end. A browser follows a link when it has
    /// answered already.
    pub async fn text_with(&self, id: &str, words: &str) -> Result<String, CmdError> {
        let begun = Instant::now();
        loop {
            let text = self.text(id).await?;
            if text.contains(words) || begun.elapsed() > PATIENCE {
                return Ok(text);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns what a script returns.
    pub async fn ask(&self, script: &str) -> Result<Value, CmdError> {
        self.client.execute(script, Vec::new()).await
    }

    /// Returns all that is drawn of the state, in words.
    pub async fn state(&self) -> Result<String, CmdError> {
        let script =
            "return [...document.querySelectorAll('#counts, [role=gridcell], #pools, #spaces, #frames, #tlb, #events')]
            .map((part) => part.getAttribute('aria-label') + part.textContent).join('\\n')";
        Ok(self.ask(script).await?.as_str().unwrap_or_default().to_owned())
    }

    /// Returns the fragment of the page's address.
    pub async fn fragment(&self) -> Result<String, CmdError> {
        Ok(self.ask("return location.hash").await?.as_str().unwrap_or_default().to_owned())
    }

    /// Makes the window so wide.
    pub async fn set_width(&self, width: u32) -> Result<(), CmdError> {
        self.client.set_window_size(width, 1000).await
    }
}

/// ChromeDriver, which ends with its test.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Self {
        let mut command = Command::new("chromedriver");
        let mut process = command.arg("--port=0").stdout(Stdio::piped()).spawn().expect("chromedriver starts");
        let said = BufReader::new(process.stdout.take().expect("its output is a pipe"));
        let port = said.lines().map_while(Result::ok).find_map(|line| {
            let port = line.strip_prefix("ChromeDriver was started successfully on port ")?;
            port.trim_end_matches('.').parse().ok()
        });
        Self { process, port: port.expect("chromedriver says its port") }
    }

    async fn connect(&self) -> Client {
        let wanted = json!({
            "goog:chromeOptions": {"args": ARGUMENTS},
            "goog:loggingPrefs": {"browser": "ALL"},
        });
        let mut client = ClientBuilder::new(HttpConnector::new());
        client.capabilities(wanted.as_object().cloned().unwrap_or_default());
        client.connect(&format!("http://127.0.0.1:{}", self.port)).await.expect("chromium starts")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // It is gone, or goes now.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Asks what the browser's console has got since it was asked last.
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &url::Url, session: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}
