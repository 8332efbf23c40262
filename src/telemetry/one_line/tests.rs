use super::*;

fn written(event: &str) -> String {
    let mut line = OneLine(Vec::new());
    line.write_all(event.as_bytes()).unwrap();
    String::from_utf8(line.0).unwrap()
}

#[test]
fn an_event_begins_one_line_and_no_other() {
    let forged = "2026-01-01T00:00:00.000000Z  WARN panelgate::failure: client=192.0.2.1";
    for (event, expected) in [
        ("plain\n".to_owned(), "plain\n".to_owned()),
        (format!("a\n{forged}\n"), format!("a\n  | {forged}\n")),
        (format!("a\r\n\0{forged}\r\n"), format!("a \n  |  {forged} \n")),
        ("\n\n".to_owned(), "\n  | \n".to_owned()),
        (String::new(), String::new()),
    ] {
        assert_eq!(written(&event), expected);
    }
}
