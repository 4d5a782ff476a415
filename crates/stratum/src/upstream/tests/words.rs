//! What a pool says of our own secrets.

use super::*;

/// Everything that a pool can say in words, with a text in it.
fn sayings(text: &str) -> Vec<String> {
    let call = |method: &str, params: String| {
        format!("{{\"id\":null,\"method\":\"{method}\",\"params\":{params}}}")
    };
    vec![
        call("client.show_message", format!("[\"{text}\"]")),
        call("client.show_message", format!("\"{text}\"")),
        call("client.reconnect", format!("[\"{text}\",3333,0]")),
        call("mining.notify", format!("[\"{text}\"]")),
        call("mining.set_difficulty", format!("[\"{text}\"]")),
        call("mining.set_target", format!("[\"{text}\"]")),
        call("mining.set_extranonce", format!("[\"{text}\",4]")),
        format!("{{\"id\":null,\"method\":\"{text}\",\"params\":[]}}"),
        format!("no JSON: {text}"),
        format!("{{\"id\":ID,\"result\":null,\"error\":[20,\"{text}\",null]}}"),
        format!("{{\"id\":ID,\"result\":null,\"error\":{{\"code\":24,\"message\":\"{text}\"}}}}"),
        format!("{{\"id\":ID,\"result\":\"{text}\",\"error\":null}}"),
        format!("{{\"id\":ID,\"result\":[\"{text}\",\"{text}\",4],\"error\":null}}"),
    ]
}

/// All that a driver may show of what a session tells.
fn shown_of(pool: &mut Upstream<Coin<false>, u32>) -> String {
    let mut shown = String::new();
    while let Some(event) = pool.poll_event() {
        if let UpstreamEvent::Down(reason) = &event {
            shown.push_str(&reason.to_string());
        }
        shown.push_str(&format!("{event:?}\n"));
    }
    shown
}

#[test]
fn no_word_of_a_pool_shows_our_password() {
    let escaped = "\\u0068\\u0075nter2";
    let long = format!("{}hunter2hunter2", "-".repeat(60));
    let mut said = 0;
    for text in ["hunter2", "login acct.farm:hunter2 failed", escaped, &long] {
        for saying in sayings(text) {
            // As an answer to the subscribe, the authorize, and a share.
            for step in 0..3 {
                let mut story = Story::new();
                story.connect();
                if step > 0 {
                    story.answers(GIVEN);
                }
                if step > 1 {
                    story.answers("true");
                    story.notify("j1", "p1", "w1");
                    story.submit(7);
                }
                story.told();
                let line = story.pool.without_secrets(saying.as_bytes());
                assert!(!line.contains("hunter2") && !line.contains("nter2"), "{line}");
                story.says(&saying.replace("ID", &story.asked.to_string()));
                let shown = shown_of(&mut story.pool);
                said += usize::from(shown.contains("***"));
                for part in ["hunt", "nter2"] {
                    assert!(!shown.contains(part), "{saying}\n{shown}");
                }
            }
        }
    }
    assert!(said > 60, "it is quoted, and taken out: {said}");
}
