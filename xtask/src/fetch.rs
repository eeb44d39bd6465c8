//! One download: resumed, verified, and under its final name only when it is right.
//!
//! Bytes go to `NAME.part`. A next try asks for the rest with `Range`; what the server makes of that is checked, and what is in the
//! end on disk is read back and hashed before the rename. No header is trusted for more than where to go on.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use ureq::{Agent, Body, http::Response};

use crate::manifest::{DataFile, digest};

/// However often a server hands out a little more, a download ends after this many requests.
const MOST_REQUESTS: u32 = 200;
/// Bytes per second below which an answer is given up; a telephone line brings five times as many.
const LEAST_RATE: f64 = 1000.0;

/// How patient a download is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Requests in a row that bring nothing new before giving up.
    pub(crate) tries: u32,
    /// A connection that brings nothing for so long, or less than [`LEAST_RATE`] over so long, is given up.
    pub(crate) stall: Duration,
    /// Pause before a repeated request, times the number of failures.
    pub(crate) wait: Duration,
}

/// Why a request brought no complete file.
#[derive(Debug)]
enum Trouble {
    /// Another request may do better.
    Passing(String),
    /// The same, and what little came counts as nothing.
    Slow(String),
    /// Another request will end in the same way.
    Lasting(String),
    /// This machine cannot store what arrives.
    Disk(io::Error),
}

/// A download in progress.
struct Transfer<'a> {
    url: &'a str,
    bytes: u64,
    part: File,
    /// Bytes of the part file that count.
    have: u64,
    /// They may come from more than one answer.
    mixed: bool,
    bar: &'a ProgressBar,
}

/// Downloads `file` from `url` to `destination`.
///
/// # Errors
/// The server has no such file or serves another one, does not answer, or the disk is full. Nothing is then under the final name that
/// was not there before; a part file stays when a later call can go on from it.
pub(crate) fn fetch(
    file: &DataFile,
    url: &str,
    destination: &Path,
    patience: &Patience,
    bar: &ProgressBar,
) -> Result<()> {
    if let Some(folder) = destination.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    let part_path = part_path(destination);
    let part = open_part(&part_path)?;
    let have = part.metadata().with_context(|| format!("cannot read {}", part_path.display()))?.len();
    bar.set_length(file.bytes);
    let mut transfer = Transfer { url, bytes: file.bytes, part, have, mixed: have > 0, bar };
    if have > file.bytes {
        transfer.restart().with_context(|| format!("cannot empty {}", part_path.display()))?;
    }
    match transfer.complete(file, patience, &part_path) {
        Ok(()) => fs::rename(&part_path, destination)
            .with_context(|| format!("cannot rename {} to {}", part_path.display(), destination.display())),
        Err(error) => {
            if transfer.have == 0 {
                // Nothing to go on from. The error to report is the one that led here.
                let _ = fs::remove_file(&part_path);
            }
            Err(error)
        }
    }
}

/// `NAME.part` beside `NAME`.
fn part_path(destination: &Path) -> PathBuf {
    let mut name = destination.file_name().map_or_else(OsString::new, OsString::from);
    name.push(".part");
    destination.with_file_name(name)
}

fn open_part(path: &Path) -> Result<File> {
    let part = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    match part.try_lock() {
        Ok(()) => Ok(part),
        Err(TryLockError::WouldBlock) => {
            bail!("{} is being written by another process; wait for it to end", path.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

impl Transfer<'_> {
    fn complete(&mut self, file: &DataFile, patience: &Patience, part_path: &Path) -> Result<()> {
        let agent: Agent = Agent::config_builder()
            .http_status_as_error(false)
            .accept_encoding("identity")
            .timeout_connect(Some(patience.stall))
            .timeout_recv_response(Some(patience.stall))
            .timeout_per_read(Some(patience.stall))
            .build()
            .into();
        let mut furthest = self.have;
        let mut failures = 0;
        let mut requests = 0;
        loop {
            if self.have == self.bytes {
                let on_disk = |error: io::Error| {
                    anyhow::Error::new(error).context(format!("cannot write {}", part_path.display()))
                };
                self.part.sync_all().map_err(on_disk)?;
                let found = digest(&mut self.part, &ProgressBar::hidden()).map_err(on_disk)?;
                if found == file.sha256 {
                    return Ok(());
                }
                let mixed = self.mixed;
                self.restart().map_err(on_disk)?;
                if !mixed {
                    bail!(
                        "{} serves another file than the manifest names: sha256 {found}, expected {}; nothing was kept",
                        self.url,
                        file.sha256
                    );
                }
                // The parts do not belong together: the content changed between two requests.
                furthest = 0;
                failures += 1;
            }
            if failures >= patience.tries || requests >= MOST_REQUESTS {
                bail!(
                    "{}: gave up after {requests} requests with parts that do not fit together; try again later",
                    self.url
                );
            }
            requests += 1;
            let (why, slow) = match self.request(&agent, patience.stall) {
                Ok(()) => continue,
                Err(Trouble::Passing(why)) => (why, false),
                Err(Trouble::Slow(why)) => (why, true),
                Err(Trouble::Lasting(why)) => bail!("{}: {why}", self.url),
                Err(Trouble::Disk(error)) => {
                    return Err(error).with_context(|| format!("cannot write {}", part_path.display()));
                }
            };
            failures = if self.have > furthest && !slow { 0 } else { failures + 1 };
            furthest = furthest.max(self.have);
            if failures >= patience.tries || requests >= MOST_REQUESTS {
                let rest = if self.have > 0 { "; run the command again to go on from there" } else { "" };
                bail!(
                    "{}: {why}; gave up after {requests} requests with {} of {} bytes{rest}",
                    self.url,
                    self.have,
                    self.bytes
                );
            }
            thread::sleep(patience.wait * failures.max(1));
        }
    }

    /// One request for what is missing. `Ok` means that the part file has its full length.
    fn request(&mut self, agent: &Agent, stall: Duration) -> std::result::Result<(), Trouble> {
        let mut request = agent.get(self.url);
        if self.have > 0 {
            request = request.header("Range", format!("bytes={}-", self.have));
        }
        let mut response = request.call().map_err(|error| match error {
            ureq::Error::BadUri(_)
            | ureq::Error::Http(_)
            | ureq::Error::InvalidProxyUrl
            | ureq::Error::TooManyRedirects => Trouble::Lasting(error.to_string()),
            _ => Trouble::Passing(error.to_string()),
        })?;
        match response.status().as_u16() {
            // The whole file, whatever was asked for.
            200 => self.restart().map_err(Trouble::Disk)?,
            206 if range_start(&response) == Some(self.have) => {}
            206 => {
                let told = header(&response, "content-range").unwrap_or_default();
                let asked = self.have;
                self.restart().map_err(Trouble::Disk)?;
                return Err(Trouble::Passing(format!("asked to go on at byte {asked}, was sent {told:?}")));
            }
            416 => {
                let asked = self.have;
                self.restart().map_err(Trouble::Disk)?;
                return Err(Trouble::Passing(format!("the server has nothing at byte {asked}")));
            }
            status @ (408 | 425 | 429 | 500..=599) => {
                return Err(Trouble::Passing(format!("the server answered {status}")));
            }
            status => return Err(Trouble::Lasting(format!("the server answered {status}"))),
        }
        self.mixed = self.have > 0;
        self.part.seek(SeekFrom::Start(self.have)).map_err(Trouble::Disk)?;
        self.bar.set_position(self.have);
        self.receive(&mut response, stall)
    }

    fn receive(&mut self, response: &mut Response<Body>, stall: Duration) -> std::result::Result<(), Trouble> {
        // What comes after the file's size is not read: the hash judges what is there.
        let mut body = response.body_mut().as_reader().take(self.bytes - self.have);
        let mut buffer = vec![0_u8; 1 << 16];
        let (mut since, mut before) = (Instant::now(), self.have);
        loop {
            let broken = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    self.part.write_all(&buffer[..count]).map_err(Trouble::Disk)?;
                    self.have += count as u64;
                    self.bar.set_position(self.have);
                    None
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => None,
                Err(error) => Some(error.to_string()),
            };
            // A read that waits longer than `stall` ends by itself, so this is looked at often enough.
            let (came, waited) = (self.have - before, since.elapsed());
            let due = waited >= stall && self.have < self.bytes;
            let slow = due && (came as f64) < LEAST_RATE * waited.as_secs_f64();
            match broken {
                Some(why) if slow => return Err(Trouble::Slow(why)),
                Some(why) => return Err(Trouble::Passing(why)),
                None if slow => {
                    let seconds = waited.as_secs_f64();
                    return Err(Trouble::Slow(format!("no more than {came} bytes came in {seconds:.1} s")));
                }
                None if due => (since, before) = (Instant::now(), self.have),
                None => {}
            }
        }
        if self.have < self.bytes {
            return Err(Trouble::Passing(format!("the answer ended at byte {} of {}", self.have, self.bytes)));
        }
        Ok(())
    }

    fn restart(&mut self) -> io::Result<()> {
        self.part.set_len(0)?;
        self.part.rewind()?;
        self.have = 0;
        self.mixed = false;
        self.bar.set_position(0);
        Ok(())
    }
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

/// First byte of a `Content-Range: bytes 5-9/10`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    first_of_range(&header(response, "content-range")?)
}

fn first_of_range(text: &str) -> Option<u64> {
    let (first, _) = text.trim().strip_prefix("bytes")?.trim_start().split_once('-')?;
    first.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_range_is_read() {
        // RFC 9110, section 14.4
        assert_eq!(first_of_range("bytes 42-1233/1234"), Some(42));
        assert_eq!(first_of_range("bytes 42-1233/*"), Some(42));
        assert_eq!(first_of_range("bytes */1234"), None);
        assert_eq!(first_of_range("42-1233"), None);
    }

    #[test]
    fn the_part_file_stands_beside_the_file() {
        assert_eq!(part_path(Path::new("a/b.csv.gz")), Path::new("a/b.csv.gz.part"));
    }
}
