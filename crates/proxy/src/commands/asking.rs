//! Asking a process at work, here or elsewhere: through its control socket, or at the address of its API.
//!
//! One request for each connection, in HTTP/1.0, whose answers end with their connection and never come in
//! pieces, whatever proxy stands between.

mod error;
mod reach;
mod request;

use std::io::{self, Read, Write};
use std::time::Duration;

use serde::de::DeserializeOwned;

pub use self::error::AskError;
use self::reach::ApiReach;
pub use self::reach::{ApiUrl, ApiUrlError};
pub(super) use self::request::{ApiRequest, encoded, query};
use crate::api::ApiProblem;
use crate::cli::AskArgs;
use crate::clock::now;

/// The longest answer, in bytes.
const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// The longest head of one.
const MAX_HEAD: usize = 64 * 1024;
/// How much is read at a time.
const READ: usize = 64 * 1024;

/// Somebody who asks a process at work.
#[derive(Debug, Clone)]
pub(super) struct ApiClient {
    reach: ApiReach,
    /// How long an answer may take.
    patience: Duration,
}

/// An answer that says that it was done.
#[derive(Debug, Clone)]
pub(super) struct ApiAnswer {
    /// Who answered, for people.
    place: String,
    /// What was said, as it came.
    pub(super) text: String,
}

impl ApiAnswer {
    pub(super) fn read<T: DeserializeOwned>(&self) -> Result<T, AskError> {
        let failed = |error: serde_json::Error| AskError::Answer {
            place: self.place.clone(),
            what: error.to_string(),
        };
        serde_json::from_str(&self.text).map_err(failed)
    }
}

impl ApiClient {
    /// One who asks whom the command line names.
    pub(super) fn new(args: &AskArgs, patience: Duration) -> Result<Self, AskError> {
        Ok(Self { reach: ApiReach::of(args)?, patience })
    }

    /// Whom it asks, for people.
    pub(super) fn place(&self) -> String {
        self.reach.place()
    }

    /// Asks, and waits for the answer.
    pub(super) fn ask(&self, request: &ApiRequest) -> Result<ApiAnswer, AskError> {
        let mut reached = self.reach.connect(self.patience)?;
        let failed = |what: String| AskError::Answer { place: reached.place.clone(), what };
        let said = request.said(&reached.host, &self.reach.prefix(), self.reach.token());
        let told = reached.stream.write_all(said.as_bytes());
        let heard = told.and_then(|()| self.hear(&mut *reached.stream));
        let answer = heard.map_err(|error| failed(error.to_string()))?;
        let (head, body) = answer.parts().ok_or_else(|| failed("it does not speak HTTP".into()))?;
        let code = head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok());
        let code = code.ok_or_else(|| failed("it does not speak HTTP".into()))?;
        if body_length(head).is_some_and(|length| body.len() < length) {
            return Err(failed("its answer breaks off".into()));
        }
        let text = String::from_utf8_lossy(body).into_owned();
        if code == 200 {
            return Ok(ApiAnswer { place: reached.place, text });
        }
        let problem: ApiProblem =
            serde_json::from_str(&text).map_err(|_| failed(format!("it answers {code}")))?;
        Err(AskError::Refused(Box::new(problem)))
    }

    /// Reads until all is there that was announced, or the other side ends.
    fn hear(&self, stream: &mut dyn Read) -> io::Result<HttpText> {
        let until = now() + self.patience;
        let mut answer = HttpText::default();
        let mut part = vec![0; READ];
        while !answer.is_whole() {
            let count = match stream.read(&mut part) {
                Ok(count) => count,
                // A proxy with TLS may end so.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if is_timeout(&error) => return Err(too_slow()),
                Err(error) => return Err(error),
            };
            if count == 0 {
                break;
            }
            answer.bytes.extend_from_slice(&part[..count]);
            if answer.bytes.len() > MAX_HEAD && answer.parts().is_none() {
                return Err(io::Error::other("it does not speak HTTP"));
            }
            if answer.bytes.len() > MAX_ANSWER {
                return Err(io::Error::other("its answer is longer than 16 MiB"));
            }
            if now() > until {
                return Err(too_slow());
            }
        }
        Ok(answer)
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "its answer takes too long")
}

/// A socket says the one or the other, by the system.
fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

/// What has come of an answer.
#[derive(Debug, Default)]
struct HttpText {
    bytes: Vec<u8>,
}

impl HttpText {
    /// The head and the body, once the head is whole.
    fn parts(&self) -> Option<(&str, &[u8])> {
        const BETWEEN: &[u8] = b"\r\n\r\n";
        let end = self.bytes.windows(BETWEEN.len()).position(|bytes| bytes == BETWEEN)?;
        let head = std::str::from_utf8(&self.bytes[..end]).ok()?;
        Some((head, &self.bytes[end + BETWEEN.len()..]))
    }

    fn is_whole(&self) -> bool {
        let Some((head, body)) = self.parts() else { return false };
        body_length(head).is_some_and(|length| body.len() >= length)
    }
}

/// How long the body is, where that is said.
fn body_length(head: &str) -> Option<usize> {
    let lines = head.lines().filter_map(|line| line.split_once(':'));
    let mut lengths = lines.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    lengths.next()?.1.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use clap::Parser;

    use super::*;

    /// Reads arguments alone.
    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        ask: AskArgs,
    }

    /// What comes of asking somebody who answers so, and what they were asked.
    fn asked(answer: &'static str, token: &str) -> (Result<ApiAnswer, AskError>, String) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/farm/", listener.local_addr().unwrap());
        let other = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut heard = vec![0; 4096];
            let count = stream.read(&mut heard).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8(heard[..count].to_vec()).unwrap()
        });
        let line = Line::try_parse_from(["ask", "--url", &url, "--token", token]).unwrap();
        let asker = ApiClient::new(&line.ask, Duration::from_secs(10)).unwrap();
        let answered = asker.ask(&ApiRequest::get("status"));
        (answered, other.join().unwrap())
    }

    #[test]
    fn an_address_is_asked_with_its_path_and_token() {
        let (answered, heard) =
            asked("HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n[1]and more", "hunter22");
        assert!(answered.unwrap().read::<Vec<u8>>().is_err(), "more than was announced");
        assert!(heard.starts_with("GET /farm/api/v1/status HTTP/1.0\r\n"), "{heard}");
        assert!(heard.contains("\r\nAuthorization: Bearer hunter22\r\n"), "{heard}");
        let (answered, _) = asked("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n[1]", "hunter22");
        assert_eq!(answered.unwrap().read::<Vec<u8>>().unwrap(), [1]);
    }

    #[test]
    fn what_is_no_answer_says_so() {
        for (answer, wanted) in [
            ("", "does not speak HTTP"),
            ("SSH-2.0-OpenSSH_9.9\r\n", "does not speak HTTP"),
            ("HTTP/1.1 502 Bad Gateway\r\n\r\n<html>", "it answers 502"),
            ("HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n{\"a\":", "breaks off"),
        ] {
            let error = asked(answer, "x").0.unwrap_err();
            assert_eq!(error.exit_code(), 69, "{error}");
            assert!(error.to_string().contains(wanted), "{error}");
        }
    }

    #[test]
    fn a_refusal_says_what_helps_where_the_token_is_wrong() {
        let answer = concat!(
            "HTTP/1.1 403 Forbidden\r\n\r\n",
            r#"{"type":"t","title":"t","status":403,"detail":"no","code":"token_only_reads","#,
            r#""remedy":"another token"}"#
        );
        let error = asked(answer, "x").0.unwrap_err();
        assert_eq!((error.exit_code(), &*error.to_string()), (1, "no; another token"));
    }
}
