//! An HTTP server that misbehaves on request.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

/// How one request is answered.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    status: u16,
    content: Vec<u8>,
    /// Answers `Range` with 206 and the rest.
    honours_range: bool,
    /// `Content-Length`, where it is not the truth.
    declared: Option<usize>,
    /// Bytes of the body that are sent before the connection ends.
    sent: usize,
    /// Silence after them.
    silence: Duration,
    /// Pause before each byte of the body.
    pause: Duration,
    /// First byte that `Content-Range` names, where it is not the truth.
    claimed: Option<usize>,
    /// Nothing is sent at all, not even a head.
    mute: bool,
}

impl Reply {
    pub(crate) fn whole(content: &[u8]) -> Self {
        Self {
            status: 200,
            content: content.to_vec(),
            honours_range: true,
            declared: None,
            sent: usize::MAX,
            silence: Duration::ZERO,
            pause: Duration::ZERO,
            claimed: None,
            mute: false,
        }
    }

    pub(crate) fn mute() -> Self {
        Self { mute: true, silence: Duration::from_mins(1), ..Self::whole(b"") }
    }

    pub(crate) fn status(status: u16) -> Self {
        Self { status, ..Self::whole(b"this is no data") }
    }

    pub(crate) fn truncated(self, sent: usize) -> Self {
        Self { sent, ..self }
    }

    pub(crate) fn silent(self, silence: Duration) -> Self {
        Self { silence, ..self }
    }

    pub(crate) fn declaring(self, bytes: usize) -> Self {
        Self { declared: Some(bytes), ..self }
    }

    pub(crate) fn ignoring_range(self) -> Self {
        Self { honours_range: false, ..self }
    }

    pub(crate) fn claiming_range(self, first: usize) -> Self {
        Self { claimed: Some(first), ..self }
    }

    pub(crate) fn trickling(self, pause: Duration) -> Self {
        Self { pause, ..self }
    }
}

/// A running server. Its thread ends with the test program.
pub(crate) struct Server {
    /// Address of the one file it has.
    pub(crate) url: String,
    ranges: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    /// Answers the n-th request with the n-th reply, and with the last one from then on.
    pub(crate) fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/file", listener.local_addr().unwrap());
        let ranges = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&ranges);
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let reply = replies[index.min(replies.len() - 1)].clone();
                let seen = Arc::clone(&seen);
                // A silent answer must not keep the next request waiting.
                thread::spawn(move || answer(&stream.unwrap(), &reply, &seen));
            }
        });
        Self { url, ranges }
    }

    /// First byte asked for by each request, none for the whole file.
    pub(crate) fn ranges(&self) -> Vec<Option<usize>> {
        self.ranges.lock().unwrap().clone()
    }
}

fn answer(stream: &TcpStream, reply: &Reply, seen: &Mutex<Vec<Option<usize>>>) {
    let mut range = None;
    for line in BufReader::new(stream).lines() {
        let line = line.unwrap().to_ascii_lowercase();
        if let Some(first) = line.strip_prefix("range: bytes=") {
            range = Some(first.trim_end_matches('-').parse::<usize>().unwrap());
        }
        if line.is_empty() {
            break;
        }
    }
    seen.lock().unwrap().push(range);
    if reply.mute {
        thread::sleep(reply.silence);
        return;
    }
    let total = reply.content.len();
    let start = range.filter(|_| reply.honours_range && reply.status == 200);
    let (status, body) = match start {
        Some(start) if start >= total => (416, &[][..]),
        Some(start) => (206, &reply.content[start..]),
        None => (reply.status, &reply.content[..]),
    };
    let extent = match start {
        Some(start) if status == 206 => {
            let (first, last) = (reply.claimed.unwrap_or(start), total - 1);
            format!("Content-Range: bytes {first}-{last}/{total}\r\n")
        }
        _ => String::new(),
    };
    let length = reply.declared.unwrap_or(body.len());
    let head = format!("HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {length}\r\n{extent}\r\n");
    // The client may hang up first; that is its right.
    let mut stream = stream;
    let _ = stream.write_all(head.as_bytes());
    let body = &body[..body.len().min(reply.sent)];
    let _ = if reply.pause.is_zero() {
        stream.write_all(body)
    } else {
        body.chunks(1).try_for_each(|byte| {
            thread::sleep(reply.pause);
            stream.write_all(byte)
        })
    };
    let _ = stream.flush();
    thread::sleep(reply.silence);
}
