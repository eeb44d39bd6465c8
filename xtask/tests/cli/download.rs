//! `data get` against servers that truncate, stall, trickle, lie, change their mind or refuse, and of files that none has.

use std::{
    fs,
    path::PathBuf,
    process::{Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    fails_with,
    server::{Reply, Server},
    sha256, stderr, stdout, succeeds, write, xtask,
};

/// A workspace with one data set of one file, which `server` has.
struct Case {
    root: TempDir,
    server: Server,
}

/// Bytes that do not repeat, so that parts put together wrongly differ from the file.
fn content(salt: u32) -> Vec<u8> {
    (0..50_000_u32).flat_map(|index| (index.wrapping_mul(2_654_435_761) ^ salt).to_le_bytes()).collect()
}

impl Case {
    fn new(replies: Vec<Reply>) -> Self {
        let server = Server::start(replies);
        let root = tempfile::tempdir().unwrap();
        let wanted = content(0);
        let manifest = format!(
            "[[dataset]]\nname = 'one'\ndomain = 'drug'\nabout = 'a'\nsource = 's'\nlicence = 'l'\n\
             [[dataset.file]]\npath = 'drug/one/file.bin'\nbytes = {}\nsha256 = '{}'\nurl = '{}'\n",
            wanted.len(),
            sha256(&wanted),
            server.url
        );
        write(root.path(), "data/manifest.toml", manifest);
        Self { root, server }
    }

    fn file(&self) -> PathBuf {
        self.root.path().join("raw/drug/one/file.bin")
    }

    fn part(&self) -> PathBuf {
        self.root.path().join("raw/drug/one/file.bin.part")
    }

    fn command(&self, stall: &str, more: &[&str]) -> std::process::Command {
        let mut command = xtask(self.root.path());
        command.arg("--data-root").arg(self.root.path().join("raw"));
        command.args(["data", "get", "one", "--tries", "4", "--retry-wait", "0", "--stall", stall]).args(more);
        command
    }

    fn get(&self) -> Output {
        self.command("5", &[]).output().unwrap()
    }

    fn verify(&self) -> Output {
        let mut command = xtask(self.root.path());
        command.arg("--data-root").arg(self.root.path().join("raw")).args(["data", "verify"]).output().unwrap()
    }

    #[track_caller]
    fn is_complete(&self) {
        assert_eq!(fs::read(self.file()).unwrap(), content(0));
        assert!(!self.part().exists(), "the part file is left");
    }

    #[track_caller]
    fn has_nothing(&self) {
        assert!(!self.file().exists(), "there is a file under the final name");
    }
}

#[test]
fn a_file_is_fetched_once() {
    let case = Case::new(vec![Reply::whole(&content(0))]);
    succeeds(&case.get());
    case.is_complete();
    let again = case.get();
    succeeds(&again);
    assert!(stdout(&again).contains("0 fetched, 1 already there"), "{}", stdout(&again));
    assert_eq!(case.server.ranges(), [None]);
}

#[test]
fn a_truncated_answer_is_resumed_where_it_ended() {
    let case = Case::new(vec![
        Reply::whole(&content(0)).truncated(70_000),
        Reply::whole(&content(0)).truncated(30_000),
        Reply::whole(&content(0)),
    ]);
    succeeds(&case.get());
    case.is_complete();
    assert_eq!(case.server.ranges(), [None, Some(70_000), Some(100_000)]);
}

#[test]
fn a_server_that_stalls_is_given_up_and_resumed() {
    let case = Case::new(vec![
        Reply::whole(&content(0)).truncated(70_000).silent(Duration::from_mins(1)),
        Reply::whole(&content(0)),
    ]);
    let began = Instant::now();
    let output = case.command("0.5", &[]).output().unwrap();
    succeeds(&output);
    assert!(began.elapsed() < Duration::from_secs(30), "took {:?}", began.elapsed());
    case.is_complete();
    assert_eq!(case.server.ranges(), [None, Some(70_000)]);
}

#[test]
fn a_server_that_only_stalls_is_given_up() {
    let case = Case::new(vec![Reply::whole(&content(0)).truncated(0).silent(Duration::from_mins(1))]);
    fails_with(&case.command("0.3", &[]).output().unwrap(), "gave up after 4 requests with 0 of 200000 bytes");
    case.has_nothing();
    assert!(!case.part().exists());
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let case = Case::new(vec![Reply::mute(), Reply::whole(&content(0))]);
    let began = Instant::now();
    succeeds(&case.command("0.5", &[]).output().unwrap());
    assert!(began.elapsed() < Duration::from_secs(30), "took {:?}", began.elapsed());
    case.is_complete();
    assert_eq!(case.server.ranges(), [None, None]);

    let silent = Case::new(vec![Reply::mute()]);
    fails_with(&silent.command("0.3", &[]).output().unwrap(), "gave up after 4 requests with 0 of 200000 bytes");
    silent.has_nothing();
    assert!(!silent.part().exists());
}

#[test]
fn a_server_that_trickles_is_given_up_and_what_came_is_kept() {
    // 50 bytes a second, where 1,000 are asked for. The trickle ends after 6 s, so that a client that waits for it is found out.
    let trickle = || Reply::whole(&content(0)).trickling(Duration::from_millis(20)).truncated(300);
    let case = Case::new(vec![trickle(), Reply::whole(&content(0))]);
    succeeds(&case.command("0.5", &[]).output().unwrap());
    case.is_complete();
    let ranges = case.server.ranges();
    assert!(matches!(ranges[..], [None, Some(1..=200)]), "{ranges:?}");

    let slow = Case::new(vec![trickle(), trickle(), trickle(), trickle(), Reply::whole(&content(0))]);
    let output = slow.command("0.5", &[]).output().unwrap();
    fails_with(&output, "gave up after 4 requests");
    assert!(stderr(&output).contains(" bytes came in "), "{}", stderr(&output));
    slow.has_nothing();
    let ranges = slow.server.ranges();
    let kept = fs::read(slow.part()).unwrap();
    assert!(ranges.is_sorted() && ranges[3].is_some_and(|from| from < kept.len()), "{ranges:?}, {}", kept.len());
    assert_eq!(kept, content(0)[..kept.len()]);
}

#[test]
fn a_length_that_is_too_large_is_not_believed() {
    let case = Case::new(vec![Reply::whole(&content(0)).declaring(300_000)]);
    succeeds(&case.get());
    case.is_complete();
}

#[test]
fn a_length_that_is_too_small_is_not_believed() {
    let case = Case::new(vec![Reply::whole(&content(0)).declaring(50_000), Reply::whole(&content(0))]);
    succeeds(&case.get());
    case.is_complete();
    assert_eq!(case.server.ranges(), [None, Some(50_000)]);
}

#[test]
fn a_server_that_ignores_ranges_is_taken_from_the_start() {
    let case = Case::new(vec![Reply::whole(&content(0)).truncated(70_000), Reply::whole(&content(0)).ignoring_range()]);
    succeeds(&case.get());
    case.is_complete();
    assert_eq!(case.server.ranges(), [None, Some(70_000)]);
}

#[test]
fn a_range_that_was_not_asked_for_is_taken_for_none() {
    let truncated = Reply::whole(&content(0)).truncated(70_000);
    let liar = Reply::whole(&content(0)).claiming_range(60_000);
    let case = Case::new(vec![truncated.clone(), liar.clone(), Reply::whole(&content(0))]);
    succeeds(&case.get());
    case.is_complete();
    assert_eq!(case.server.ranges(), [None, Some(70_000), None]);

    let busy = Reply::status(500);
    let case = Case::new(vec![truncated, busy.clone(), busy.clone(), busy, liar]);
    fails_with(&case.get(), r#"asked to go on at byte 70000, was sent "bytes 60000-199999/200000"; gave up"#);
    case.has_nothing();
    assert!(!case.part().exists());
}

#[test]
fn content_that_changes_between_two_requests_is_fetched_anew() {
    let case = Case::new(vec![Reply::whole(&content(7)).truncated(70_000), Reply::whole(&content(0))]);
    succeeds(&case.get());
    case.is_complete();
    assert_eq!(case.server.ranges(), [None, Some(70_000), None]);
}

#[test]
fn another_file_than_the_manifest_names_is_not_kept() {
    let case = Case::new(vec![Reply::whole(&content(7))]);
    fails_with(&case.get(), "serves another file than the manifest names");
    case.has_nothing();
    assert!(!case.part().exists());
    assert_eq!(case.server.ranges(), [None]);
}

#[test]
fn a_file_that_never_comes_whole_keeps_its_part() {
    let short = &content(0)[..150_000];
    let case = Case::new(vec![Reply::whole(short)]);
    let output = case.get();
    fails_with(&output, "150000 of 200000 bytes");
    case.has_nothing();
    assert_eq!(fs::read(case.part()).unwrap(), short);
}

#[test]
fn not_found_is_final_and_server_errors_are_not() {
    let missing = Case::new(vec![Reply::status(404)]);
    fails_with(&missing.get(), "the server answered 404");
    missing.has_nothing();
    assert_eq!(missing.server.ranges(), [None]);

    let busy = Case::new(vec![Reply::status(500), Reply::status(503), Reply::whole(&content(0))]);
    succeeds(&busy.get());
    busy.is_complete();

    let broken = Case::new(vec![Reply::status(500)]);
    fails_with(&broken.get(), "the server answered 500; gave up after 4 requests");
    broken.has_nothing();
    assert_eq!(broken.server.ranges().len(), 4);
}

#[test]
fn a_killed_download_leaves_only_its_part_and_the_next_goes_on() {
    let case = Case::new(vec![
        Reply::whole(&content(0)).truncated(70_000).silent(Duration::from_mins(1)),
        Reply::whole(&content(0)),
    ]);
    let mut child = case.command("60", &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while fs::metadata(case.part()).map_or(0, |part| part.len()) < 70_000 {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing arrived");
        thread::sleep(Duration::from_millis(20));
    }
    case.has_nothing();
    // A second download of the same file stands back while the first one runs.
    fails_with(&case.get(), "is being written by another process");
    child.kill().unwrap();
    child.wait().unwrap();
    case.has_nothing();

    succeeds(&case.get());
    case.is_complete();
    assert_eq!(case.server.ranges(), [None, Some(70_000)]);
}

#[test]
fn a_file_that_differs_is_replaced_only_when_asked() {
    let case = Case::new(vec![Reply::whole(&content(0))]);
    write(case.root.path(), "raw/drug/one/file.bin", "mine");
    fails_with(&case.get(), "pass --replace");
    assert_eq!(fs::read(case.file()).unwrap(), b"mine");
    succeeds(&case.command("5", &["--replace"]).output().unwrap());
    case.is_complete();
}

#[test]
fn a_file_without_an_address_is_missed_until_it_or_one_in_its_place_is_there() {
    let case = Case::new(vec![Reply::whole(&content(0))]);
    let manifest = case.root.path().join("data/manifest.toml");
    let made = format!(
        "[[dataset.file]]\npath = 'drug/one/made.csv'\nbytes = 3\nsha256 = '{}'\nderived = 'made from Y'\n\
         replaced_by = 'drug/one/Y'\n",
        sha256(b"abc")
    );
    fs::write(&manifest, fs::read_to_string(&manifest).unwrap() + &made).unwrap();

    let output = case.get();
    fails_with(&output, "1 files have no address");
    let told = "made.csv (made from Y; drug/one/Y will do instead)";
    assert!(stdout(&output).contains(told), "{}", stdout(&output));
    // What has an address was fetched.
    case.is_complete();
    fails_with(&case.verify(), "1 files are absent or differ");

    write(case.root.path(), "raw/drug/one/Y", "");
    succeeds(&case.get());
    succeeds(&case.verify());
    fs::remove_file(case.root.path().join("raw/drug/one/Y")).unwrap();

    write(case.root.path(), "raw/drug/one/made.csv", "abc");
    succeeds(&case.get());
    write(case.root.path(), "raw/drug/one/made.csv", "abd");
    fails_with(&case.command("5", &["--replace"]).output().unwrap(), "it has no address");
    assert_eq!(fs::read(case.root.path().join("raw/drug/one/made.csv")).unwrap(), b"abd");
}

#[test]
fn verify_tells_good_from_bad() {
    let case = Case::new(vec![Reply::whole(&content(0))]);
    fails_with(&case.verify(), "no data set is present");
    succeeds(&case.get());
    succeeds(&case.verify());
    let mut bad = content(0);
    bad[123_456] ^= 1;
    fs::write(case.file(), bad).unwrap();
    let output = case.verify();
    fails_with(&output, "1 files are absent or differ");
    assert!(stdout(&output).contains("file.bin: sha256 "), "{}{}", stdout(&output), stderr(&output));
}
